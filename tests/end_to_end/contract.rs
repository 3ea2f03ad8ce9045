//! The wire contract over both APIs, as existing clients speak it.

use serde_json::json;
use tonic::Code;
use zephyrfs_proto::coordinator as pb;
use zephyrfs_tests::TestNode;

/// Something that makes a request wrong.
type Breakage = Box<dyn Fn(&mut pb::RegisterFileRequest)>;

fn chunk(id: &str, index: i32) -> pb::ChunkMetadata {
    pb::ChunkMetadata {
        chunk_id: id.to_owned(),
        hash: format!("hash of {id}"),
        size: 1_000,
        index,
    }
}

fn file(id: &str, chunks: Vec<pb::ChunkMetadata>) -> pb::RegisterFileRequest {
    pb::RegisterFileRequest {
        file_id: id.to_owned(),
        file_name: format!("{id}.bin"),
        file_size: 2_000,
        file_hash: format!("hash of {id}"),
        chunks,
        owner_node_id: "n1".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_nine_calls_do_what_existing_nodes_expect() {
    let mut node = TestNode::start().await;
    let mut grpc = node.grpc().await;

    let nothing = grpc
        .register_file(file("f", vec![chunk("c0", 0)]))
        .await
        .unwrap()
        .into_inner();
    assert!(
        !nothing.success,
        "with no node at all nothing is stored: {nothing:?}"
    );

    for number in 1..=4 {
        let request = pb::RegisterNodeRequest {
            node_id: format!("n{number}"),
            addresses: vec![format!("10.0.0.{number}:7000"), "second".to_owned()],
            storage_capacity: 1 << 40,
            capabilities: [("zone".to_owned(), format!("z{}", number % 2))].into(),
        };
        let reply = grpc.register_node(request).await.unwrap();
        assert!(reply.metadata().get("applied-index").is_some());
        let reply = reply.into_inner();
        assert!(reply.success);
        assert_eq!(reply.assigned_node_id, format!("n{number}"));
        assert_eq!(reply.bootstrap_peers.len(), number - 1);
    }
    let minted = grpc
        .register_node(pb::RegisterNodeRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(minted.assigned_node_id.len(), 32);
    let removal = pb::UnregisterNodeRequest {
        node_id: minted.assigned_node_id.clone(),
        reason: "test".to_owned(),
    };
    assert!(grpc.unregister_node(removal).await.unwrap().into_inner().success);

    let stats = pb::NodeStats {
        uptime_seconds: 500,
        storage_available: 1 << 39,
        ..Default::default()
    };
    let beat = pb::NodeHeartbeatRequest {
        node_id: "n3".to_owned(),
        stats: Some(stats),
    };
    assert!(grpc.node_heartbeat(beat).await.unwrap().into_inner().success);
    let beat = pb::NodeHeartbeatRequest {
        node_id: "nobody".to_owned(),
        stats: None,
    };
    assert!(!grpc.node_heartbeat(beat).await.unwrap().into_inner().success);

    let request = pb::GetActiveNodesRequest {
        limit: 2,
        exclude_nodes: vec!["n1".to_owned()],
    };
    let active = grpc.get_active_nodes(request).await.unwrap().into_inner();
    assert_eq!((active.total_nodes, active.nodes.len()), (2, 2));
    assert_eq!(active.nodes[0].node_id, "n3", "longest uptime first");
    assert!(
        active
            .nodes
            .iter()
            .all(|node| node.status == "active" && node.node_id != "n1")
    );

    let placed = grpc
        .register_file(file("f", vec![chunk("c0", 0), chunk("c1", 1)]))
        .await
        .unwrap()
        .into_inner();
    assert!(placed.success, "{placed:?}");
    assert_eq!(placed.chunk_placements.len(), 2);
    for (placement, id) in placed.chunk_placements.iter().zip(["c0", "c1"]) {
        assert_eq!(placement.chunk_id, id);
        assert_eq!(
            (placement.replication_factor, placement.target_nodes.len()),
            (3, 3)
        );
    }
    let again = grpc
        .register_file(file("f", vec![chunk("c0", 0), chunk("c1", 1)]))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        again.chunk_placements, placed.chunk_placements,
        "the same file again has the same places"
    );

    let find = pb::FindChunkLocationsRequest {
        chunk_id: "c1".to_owned(),
        preferred_count: 2,
    };
    let found = grpc.find_chunk_locations(find).await.unwrap().into_inner();
    assert_eq!((found.node_ids.len(), found.node_addresses.len()), (2, 2));
    assert!(
        found
            .node_ids
            .iter()
            .all(|id| placed.chunk_placements[1].target_nodes.contains(id))
    );
    assert!(
        found
            .node_addresses
            .iter()
            .all(|address| address.starts_with("10.0.0."))
    );

    let holder = placed.chunk_placements[0].target_nodes[2].clone();
    for (operation, success) in [("add", true), ("remove", true), ("move", false)] {
        let update = pb::UpdateChunkLocationsRequest {
            chunk_id: "c0".to_owned(),
            node_ids: vec![holder.clone()],
            operation: operation.to_owned(),
        };
        let reply = grpc.update_chunk_locations(update).await.unwrap().into_inner();
        assert_eq!(reply.success, success, "{operation}: {reply:?}");
    }
    let info = pb::GetFileInfoRequest {
        file_id: "f".to_owned(),
    };
    let info = grpc
        .get_file_info(info)
        .await
        .unwrap()
        .into_inner()
        .file_info
        .unwrap();
    assert_eq!(
        (
            info.file_name.as_str(),
            info.owner_node_id.as_str(),
            info.chunks.len()
        ),
        ("f.bin", "n1", 2)
    );
    assert_eq!(info.chunks[0].replication_count, 2, "one copy was removed");
    assert!(!info.chunks[0].stored_at_nodes.contains(&holder));

    let status = grpc
        .get_network_status(pb::GetNetworkStatusRequest {})
        .await
        .unwrap()
        .into_inner();
    let totals = status.network_stats.unwrap();
    assert_eq!((totals.total_nodes, totals.active_nodes), (5, 4));
    assert_eq!((totals.total_files, totals.total_chunks), (1, 2));
    assert_eq!(totals.total_storage_capacity, 4 << 40);
    assert_eq!(status.active_nodes.len(), 4);
    assert_eq!(node.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_names_its_field_and_changes_nothing() {
    let mut node = TestNode::start().await;
    node.register_nodes(3).await;
    let mut grpc = node.grpc().await;
    let mut good = file("good", vec![chunk("c0", 0)]);
    assert!(
        grpc.register_file(good.clone())
            .await
            .unwrap()
            .into_inner()
            .success
    );
    let before = node.rest().get("/api/v1/network/stats").await.body;

    let broken: [(&str, Breakage); 9] = [
        ("file_id", Box::new(|file| file.file_id.clear())),
        ("file_id", Box::new(|file| file.file_id = "x".repeat(257))),
        ("file_size", Box::new(|file| file.file_size = -1)),
        ("chunks[0].size", Box::new(|file| file.chunks[0].size = -5)),
        ("chunks[0].size", Box::new(|file| file.chunks[0].size = i64::MAX)),
        ("chunks[0].index", Box::new(|file| file.chunks[0].index = -1)),
        ("chunks[1]", Box::new(|file| file.chunks.push(chunk("c0", 1)))),
        ("chunks[1]", Box::new(|file| file.chunks.push(chunk("c9", 0)))),
        (
            "chunks[0].hash",
            Box::new(|file| file.chunks[0].hash = "another".to_owned()),
        ),
    ];
    for (field, break_it) in broken {
        good.file_id = "other".to_owned();
        let mut request = good.clone();
        break_it(&mut request);
        let status = grpc.register_file(request).await.unwrap_err();
        assert!(
            matches!(status.code(), Code::InvalidArgument | Code::ResourceExhausted),
            "{field}: {status:?}"
        );
        assert!(
            status.message().contains(field),
            "{field} is not named: {}",
            status.message()
        );
    }
    let mut stats = node.rest().get("/api/v1/network/stats").await.body;
    for moving in ["timestamp", "network_uptime_seconds"] {
        stats[moving] = before[moving].clone();
    }
    assert_eq!(stats, before, "a refused request changed something");
    assert_eq!(node.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn rest_answers_with_the_statuses_of_the_contract() {
    let mut node = TestNode::start().await;
    let rest = node.rest();
    let file = json!({"file_id": "f", "file_name": "f", "file_size": 5, "file_hash": "h",
        "chunks": [{"chunk_id": "c", "hash": "h", "size": 5, "index": 0}], "unknown": {"fields": "are ignored"}});
    let full = rest.post("/api/v1/files/register", &file).await;
    assert_eq!((full.status, &full.body["success"]), (507, &json!(false)));
    node.register_nodes(3).await;
    let created = rest.post("/api/v1/files/register", &file).await;
    assert_eq!((created.status, &created.body["success"]), (201, &json!(true)));
    let index = created.applied_index.unwrap();
    assert!(index > 0);

    for (method, path, body, status) in [
        ("GET", "/", None, 200),
        ("GET", "/health", None, 200),
        ("GET", "/api/v1/nodes/active", None, 200),
        ("GET", "/api/v1/nodes/n1", None, 200),
        ("GET", "/api/v1/nodes/none", None, 404),
        ("GET", "/api/v1/nodes?status=active&limit=2", None, 200),
        ("GET", "/api/v1/nodes?limit=0x", None, 400),
        (
            "POST",
            "/api/v1/nodes/none/heartbeat",
            Some(json!({"stats": {}})),
            404,
        ),
        ("POST", "/api/v1/nodes/none/unregister", None, 404),
        ("GET", "/api/v1/files/f", None, 200),
        ("GET", "/api/v1/files/none", None, 404),
        ("GET", "/api/v1/files", None, 200),
        ("GET", "/api/v1/chunks/c", None, 200),
        ("GET", "/api/v1/chunks/c/locations", None, 200),
        ("GET", "/api/v1/chunks/none/locations", None, 404),
        ("GET", "/api/v1/chunks/c/explain", None, 200),
        (
            "PUT",
            "/api/v1/chunks/c/locations",
            Some(json!({"node_ids": ["n1"], "operation": "add"})),
            200,
        ),
        (
            "PUT",
            "/api/v1/chunks/c/locations",
            Some(json!({"node_ids": ["n1"], "operation": "move"})),
            400,
        ),
        (
            "PUT",
            "/api/v1/chunks/none/locations",
            Some(json!({"node_ids": ["n1"], "operation": "add"})),
            404,
        ),
        ("GET", "/api/v1/network/status", None, 200),
        ("GET", "/api/v1/network/stats", None, 200),
        ("GET", "/api/v1/admin/database/stats", None, 200),
        ("POST", "/api/v1/admin/database/backup", None, 200),
        ("POST", "/api/v1/admin/database/cleanup", None, 200),
        ("GET", "/api/v1/tasks", None, 200),
        ("GET", "/api/v1/cluster", None, 200),
        ("POST", "/api/v1/nodes/n1/drain", None, 200),
        ("POST", "/api/v1/nodes/n1/activate", None, 200),
        (
            "POST",
            "/api/v1/nodes/n2/maintenance",
            Some(json!({"for": "30m"})),
            200,
        ),
        ("GET", "/api/v1/no/such/route", None, 404),
        ("DELETE", "/api/v1/files/f", None, 200),
        ("DELETE", "/api/v1/files/f", None, 404),
        ("GET", "/api/v1/chunks/c/locations", None, 404),
        (
            "POST",
            "/api/v1/nodes/n3/unregister",
            Some(json!({"reason": "test"})),
            200,
        ),
    ] {
        let answer = rest.answered(method, path, body.as_ref()).await;
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
    }
    let health = node.health();
    for path in ["/live", "/ready", "/health"] {
        let answer = health.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        assert!(answer.body["status"].is_string());
        assert_eq!(health.answered("HEAD", path, None).await.status, 200);
    }
    assert_eq!(node.stop().await, Some(0));
}
