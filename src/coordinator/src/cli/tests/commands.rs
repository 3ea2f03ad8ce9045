//! What each command asks for, and the table that it makes of the answer.

use serde_json::{Value, json};

use super::ask;
use crate::cli::testing::{FakeServer, Reaction};

fn server(body: &Value) -> FakeServer {
    FakeServer::start([Reaction::reply(200, body.to_string())])
}

#[test]
fn every_command_asks_for_what_the_contract_names() {
    for (line, request, body) in [
        ("file show a/b", "GET /api/v1/files/a%2Fb", ""),
        ("file delete f", "DELETE /api/v1/files/f", ""),
        ("node show n", "GET /api/v1/nodes/n", ""),
        ("node list", "GET /api/v1/nodes?limit=100", ""),
        (
            "node list --status draining --limit 5",
            "GET /api/v1/nodes?limit=5&status=draining",
            "",
        ),
        ("node drain n", "POST /api/v1/nodes/n/drain", "{}"),
        ("node activate n", "POST /api/v1/nodes/n/activate", "{}"),
        (
            "node maintenance n --for 30m",
            "POST /api/v1/nodes/n/maintenance",
            r#"{"for":"1800s"}"#,
        ),
        ("chunk show c", "GET /api/v1/chunks/c", ""),
        ("chunk explain c", "GET /api/v1/chunks/c/explain", ""),
        ("cluster status", "GET /api/v1/cluster", ""),
        (
            "cluster transfer-leader",
            "POST /api/v1/cluster/transfer-leader",
            r#"{"to":null}"#,
        ),
        (
            "cluster transfer-leader r2",
            "POST /api/v1/cluster/transfer-leader",
            r#"{"to":"r2"}"#,
        ),
        ("cluster remove r2", "DELETE /api/v1/cluster/members/r2", ""),
        (
            "cluster resize 3",
            "POST /api/v1/cluster/resize",
            r#"{"replicas":3}"#,
        ),
    ] {
        let server = server(&json!({ "success": true, "items": [], "message": "done" }));
        assert_eq!(ask(&server, "json", line).code, 0, "{line}");
        let received = server.received();
        assert_eq!(received.len(), 1, "{line}");
        assert_eq!(
            (received[0].line.as_str(), received[0].body.as_str()),
            (request, body),
            "{line}"
        );
        let is_write_of_data = line.starts_with("file delete") || request.contains("POST /api/v1/nodes");
        assert_eq!(received[0].key.is_some(), is_write_of_data, "{line}");
    }
}

#[test]
fn writes_print_what_the_coordinator_says() {
    for (body, printed) in [
        (
            json!({ "success": true, "message": "Node n drains", "status": "draining" }),
            "Node n drains\n",
        ),
        (
            json!({ "success": true, "message": "", "status": "draining" }),
            "n is draining\n",
        ),
    ] {
        assert_eq!(ask(&server(&body), "table", "node drain n").table(), printed);
    }
    assert_eq!(
        ask(&server(&json!({})), "table", "cluster remove r").table(),
        "r is removed\n"
    );
}

#[test]
fn nodes_are_listed_and_shown() {
    let node = json!({
        "node_id": "n1", "addresses": ["10.0.0.1:7000", "10.0.0.2:7000"], "storage_capacity": 107_374_182_400_i64,
        "capabilities": { "zone": "z1", "rack": "r1" }, "status": "active",
        "registered_at": "2026-01-02T03:04:05Z", "last_heartbeat": "2026-01-02T03:05:05Z",
        "stats": { "storage_used": 1_073_741_824, "storage_available": 106_300_440_576_i64, "chunks_stored": 256,
            "bandwidth_up": 1024, "bandwidth_down": 0, "cpu_usage": 12.5, "memory_usage": 50.0,
            "uptime_seconds": 3661 },
        "a_field_of_tomorrow": 1,
    });
    let silent = json!({ "node_id": "n2", "status": "inactive", "last_heartbeat": null, "stats": null });
    let list = json!({ "items": [node, silent], "next_page_token": null });
    assert_eq!(
        ask(&server(&list), "table", "node list").table(),
        concat!(
            " NODE  STATUS    ZONE  ADDRESS             CHUNKS     USED   CAPACITY  LAST HEARTBEAT\n",
            " n1    active    z1    10.0.0.1:7000 (+1)     256  1.0 GiB  100.0 GiB  2026-01-02T03:05:05Z\n",
            " n2    inactive  -     -                        -        -        0 B  -\n",
        )
    );
    let shown = ask(&server(&node), "table", "node show n1");
    for line in [
        " Addresses       10.0.0.1:7000, 10.0.0.2:7000",
        " Capabilities    rack=r1, zone=z1",
        " Registered      2026-01-02T03:04:05Z",
        " Sends           1.0 KiB/s",
        " CPU             12.5 %",
        " Uptime          1h 1m 1s",
    ] {
        assert!(
            shown.table().lines().any(|found| found == line),
            "{line}: {shown:?}"
        );
    }
}

#[test]
fn a_chunk_is_explained() {
    let explanation = json!({
        "success": true, "chunk_id": "c1", "wanted_replicas": 3,
        "replicas": [{ "node_id": "n1", "state": "stored", "node_status": "active" },
            { "node_id": "n0", "state": "assigned", "node_status": null }],
        "candidates": [{ "node_id": "n1", "eligible": false, "reason": "it already holds the chunk" },
            { "node_id": "n2", "eligible": true, "reason": null },
            { "node_id": "n3", "eligible": false, "reason": "too full" }],
    });
    assert_eq!(
        ask(&server(&explanation), "table", "chunk explain c1").table(),
        concat!(
            " Chunk   c1\n",
            " Copies  1 stored, 2 of 3 wanted\n",
            "\n",
            " COPY ON  STATE     NODE IS\n",
            " n1       stored    active\n",
            " n0       assigned  unknown\n",
            "\n",
            " OTHER NODE  COULD TAKE IT  WHY NOT\n",
            " n2          yes            -\n",
            " n3          no             too full\n",
        )
    );
}

#[test]
fn the_status_is_one_screen() {
    let cluster = json!({
        "cluster_id": "c0ffee", "engine": "raft", "leader": "r1", "term": 3, "commit_index": 12, "applied_index": 11,
        "failure_tolerance": 1, "not_ready": "it is lagging",
        "members": [
            { "name": "r2", "raft_id": 2, "role": "learner", "address": "r2:8092", "healthy": false, "lag": 11 },
            { "name": "r1", "raft_id": u64::MAX, "role": "voter", "address": "r1:8092", "healthy": true, "lag": 0 },
        ],
    });
    let network = json!({
        "total_nodes": 13, "active_nodes": 12, "total_storage_capacity": 4_294_967_296_i64,
        "total_storage_used": 1_073_741_824, "total_files": 7, "total_chunks": 56, "average_node_uptime": 61.9,
        "network_uptime_seconds": 3600, "timestamp": 1_767_323_045,
    });
    let answers = [
        cluster.to_string(),
        network.to_string(),
        cluster.to_string(),
        network.to_string(),
    ];
    let server = FakeServer::start(answers.map(|body| Reaction::reply(200, body)));
    assert_eq!(
        ask(&server, "table", "status").table(),
        concat!(
            " Cluster    c0ffee (raft)\n",
            " Leader     r1\n",
            " Term       3\n",
            " Applied    11 of 12\n",
            " Can lose   1 replica\n",
            " Not ready  the replica that answers: it is lagging\n",
            "\n",
            " REPLICA  ROLE     ADDRESS  HEALTHY  BEHIND\n",
            " r1       leader   r1:8092  yes           0\n",
            " r2       learner  r2:8092  no           11\n",
            "\n",
            " Nodes       12 active of 13\n",
            " Storage     1.0 GiB of 4.0 GiB (25 %)\n",
            " Files       7\n",
            " Chunks      56\n",
            " Network up  1h\n",
            " Nodes up    1m 1s on average\n",
        )
    );
    assert_eq!(
        ask(&server, "json", "status").json(),
        json!({ "cluster": cluster, "network": network })
    );
    assert_eq!(
        server.lines()[..2],
        ["GET /api/v1/cluster", "GET /api/v1/network/stats"]
    );
}
