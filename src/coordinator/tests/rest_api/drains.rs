//! Nodes are taken out of service: what is refused, how far it is, and when they can be switched off.

use serde_json::json;
use zephyrfs_coordinator::service::Repair;

use crate::operations::{add, repair_until, with_nodes, words};
use crate::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn a_hopeless_drain_is_refused_with_the_shortfall_unless_it_is_forced() {
    let (server, _) = with_nodes(3).await;
    let path = "/api/v1/nodes/n1/decommission";
    for refused in [
        server.post_nothing(path).await,
        server.post(path, json!({"force": null})).await,
    ] {
        assert_eq!(
            (refused.status.as_u16(), &refused.body["success"]),
            (409, &json!(false))
        );
        let message = words(&refused.body["message"]);
        assert!(
            message.contains("3 copies of each chunk are wanted") && message.contains("2 would be left"),
            "{message}"
        );
    }
    server
        .post(path, json!({"force": "yes"}))
        .await
        .assert_error(400, "force: ");
    server
        .get("/api/v1/nodes/n1/drain")
        .await
        .assert_error(409, "node n1 ");
    assert!(server.get("/api/v1/nodes/n1").await.body.get("drained").is_none());

    let forced = server
        .post("/api/v1/nodes/n1/drain", json!({"force": true}))
        .await;
    assert_eq!(
        (forced.status.as_u16(), &forced.body["status"]),
        (200, &json!("draining"))
    );
    let status = server.get("/api/v1/nodes/n1/drain?chunks=5").await.body;
    assert_eq!(words(&status["since"]).len(), 24);
    let reason = words(&status["chunks"][0]["reason"]);
    assert!(
        reason.starts_with("no node can take a copy: ") && reason.contains("3 x it already holds the chunk"),
        "{reason}"
    );
    let expected = json!({
        "node_id": "n1", "status": "draining", "progress_percent": 0.0, "copies_left": 1, "bytes_left": 1_000,
        "copies_at_start": 1, "bytes_at_start": 1_000, "since": status["since"], "eta_seconds": null, "then": "stay",
        "drained": false, "drained_at": null, "chunks": [{"chunk_id": "c", "reason": reason}],
    });
    assert_eq!(status, expected);
    assert_eq!(server.get("/api/v1/nodes/n1").await.body["drained"], false);
    server
        .get("/api/v1/nodes/n1/drain?chunks=101")
        .await
        .assert_error(400, "chunks: must be a whole number from 0 to 100, got \"101\"");
    assert_eq!(server.get("/api/v1/nodes/n1/drain?chunks=100").await.status, 200);

    let cancelled = server.post_nothing("/api/v1/nodes/n1/cancel-drain").await;
    assert_eq!(
        (cancelled.status.as_u16(), &cancelled.body["status"]),
        (200, &json!("active"))
    );
    let again = server.post_nothing("/api/v1/nodes/n1/cancel-drain").await;
    assert_eq!(
        (again.status.as_u16(), &again.body["success"]),
        (409, &json!(false))
    );
    server
        .get("/api/v1/nodes/nobody/drain")
        .await
        .assert_error(404, "node nobody");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_drained_step_by_step_until_it_can_be_switched_off() {
    let (server, nodes) = with_nodes(4).await;
    let leaving = &nodes[0];
    let begun = server
        .post_nothing(&format!("/api/v1/nodes/{leaving}/drain"))
        .await;
    assert_eq!(begun.status, 200, "{begun:?}");
    let mut repair = Repair::default();
    let path = format!("/api/v1/nodes/{leaving}/drain?chunks=9");
    let told = repair_until(&server, &mut repair, &path, |_, body| {
        body["chunks"][0]["reason"]
            .as_str()
            .is_some_and(|reason| reason.contains("was told"))
    });
    let told = told.await;
    let other = ["n1", "n2", "n3", "n4"].map(str::to_owned);
    let other = other.iter().find(|id| !nodes.contains(id)).unwrap();
    let expected = format!("node {other} was told to fetch a copy (attempt 1)");
    assert_eq!(told["chunks"], json!([{"chunk_id": "c", "reason": expected}]));

    let tasks = server.get("/api/v1/tasks").await.body["items"].clone();
    assert_eq!(
        (&tasks[0]["class"], &tasks[0]["node_id"]),
        (&json!("drain"), &json!(other))
    );
    let task = words(&tasks[0]["id"]).to_owned();
    let why = server.get(&format!("/api/v1/why/task/{task}")).await.body;
    let summary = words(&why["summary"]);
    assert!(
        summary.contains(&format!("tells node {other} to replicate chunk c")) && summary.contains("draining"),
        "{summary}"
    );
    assert!(words(&why["obstacles"][0]).contains("next heartbeat"), "{why}");
    assert_eq!(why["chunk"]["class"], "drain");
    assert_eq!(why["node"]["status"], "active");
    assert_eq!(why["events"][0]["change"], "made");

    add(&server, "c", std::slice::from_ref(other)).await;
    let done = repair_until(&server, &mut repair, &path, |_, body| body["drained"] == true).await;
    assert_eq!(
        (
            &done["progress_percent"],
            &done["copies_left"],
            &done["eta_seconds"]
        ),
        (&json!(100.0), &json!(0), &json!(0))
    );
    assert!(done["drained_at"].is_string());
    assert_eq!(
        server.get(&format!("/api/v1/nodes/{leaving}")).await.body["drained"],
        true
    );
    let why = server.get(&format!("/api/v1/why/node/{leaving}")).await.body;
    assert!(words(&why["summary"]).contains("can be switched off"), "{why}");
    assert_eq!(
        (&why["node"]["wanted"], &why["node"]["drain"]["drained"]),
        (&json!("draining"), &json!(true))
    );
    let changes: Vec<_> = why["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| &event["change"])
        .collect();
    assert!(
        changes.contains(&&json!("registered")) && changes.contains(&&json!("status_changed")),
        "{why}"
    );

    // Of a task that is done the events know what it was.
    let over = server.get(&format!("/api/v1/why/task/{task}")).await;
    over.assert_error(
        404,
        &format!("there is no task {task} any more: it was to replicate chunk c"),
    );
    assert!(words(&over.body["details"]).contains("was ended at"), "{over:?}");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decommissioned_node_is_unregistered_when_it_is_empty() {
    let server = Server::start().await;
    server.register_node("n1").await;
    let begun = server.post("/api/v1/nodes/n1/decommission", json!({})).await;
    assert_eq!(begun.status, 200, "{begun:?}");
    let drain = server.get("/api/v1/nodes/n1/drain").await.body;
    assert_eq!(
        (&drain["then"], &drain["progress_percent"]),
        (&json!("remove"), &json!(100.0))
    );
    let mut repair = Repair::default();
    let path = "/api/v1/nodes/n1/drain?chunks=9";
    let done = repair_until(&server, &mut repair, path, |_, body| body["status"] == "inactive").await;
    let expected = json!({
        "node_id": "n1", "status": "inactive", "progress_percent": 100.0, "copies_left": 0, "bytes_left": 0,
        "copies_at_start": 0, "bytes_at_start": 0, "since": done["since"], "eta_seconds": 0, "then": "remove",
        "drained": true, "drained_at": done["drained_at"], "chunks": [],
    });
    assert_eq!(done, expected);
    assert_eq!(words(&done["drained_at"]).len(), 24);
    let why = server.get("/api/v1/why/node/n1").await.body;
    assert_eq!(why["node"]["wanted"], "removed");
    assert!(
        words(&why["obstacles"][0]).contains("it was unregistered"),
        "{why}"
    );

    // Whoever was to switch it off may still do so when it has registered again.
    server.register_node("n1").await;
    let again = server.get(path).await.body;
    assert_eq!(
        (&again["status"], &again["then"], &again["drained"]),
        (&json!("draining"), &json!("stay"), &json!(true))
    );
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_unregistered_before_its_drain_is_over_is_not_drained() {
    let (server, nodes) = with_nodes(4).await;
    let leaving = &nodes[0];
    for verb in ["decommission", "unregister"] {
        let path = format!("/api/v1/nodes/{leaving}/{verb}");
        assert_eq!(server.post_nothing(&path).await.status, 200, "{verb}");
    }
    server
        .get(&format!("/api/v1/nodes/{leaving}/drain"))
        .await
        .assert_error(404, &format!("node {leaving} was unregistered"));
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_that_cannot_end_begins_and_says_what_it_lacks() {
    let (server, _) = with_nodes(3).await;
    let begun = server.post_nothing("/api/v1/nodes/n1/drain").await;
    let lacks = |others| {
        format!(
            "; the drain cannot end before further nodes come: 3 copies of each chunk are wanted, each on a node of its own, \
             and the other nodes in service are {others}"
        )
    };
    assert_eq!(begun.status, 200, "{begun:?}");
    assert_eq!(
        words(&begun.body["message"]),
        format!("Drain is on; the node's status is draining{}", lacks(2))
    );
    let forced = server
        .post("/api/v1/nodes/n2/decommission", json!({"force": true}))
        .await;
    assert!(words(&forced.body["message"]).ends_with(&lacks(1)), "{forced:?}");

    // The last one is refused, and not for want of copies.
    server
        .post("/api/v1/nodes/n2/drain", json!({"force": true}))
        .await;
    let refused = server.post_nothing("/api/v1/nodes/n3/drain").await;
    assert_eq!(refused.status, 409, "{refused:?}");
    assert_eq!(
        words(&refused.body["message"]),
        "node n3 is not drained: no other node is in service; add nodes, or drain it all the same with force"
    );

    // With enough others nothing is lacking.
    let cancelled = server.post_nothing("/api/v1/nodes/n2/cancel-drain").await;
    assert_eq!(cancelled.body["status"], "active");
    server.register_node("n4").await;
    let begun = server.post_nothing("/api/v1/nodes/n1/drain").await;
    assert_eq!(
        begun.body["message"],
        "Drain is on; the node's status is draining"
    );
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_that_is_asked_for_again_is_not_refused_for_what_happened_since() {
    let (server, nodes) = with_nodes(4).await;
    let decommission = async |node: &str| {
        let path = format!("/api/v1/nodes/{node}/decommission");
        server.post(&path, json!({})).await.status.as_u16()
    };
    assert_eq!(decommission(&nodes[0]).await, 200);
    server.expire(&nodes[1]).await;
    assert_eq!(decommission(&nodes[0]).await, 200);
    assert_eq!(decommission(&nodes[2]).await, 409, "one more is another matter");
    server.end().await;
}
