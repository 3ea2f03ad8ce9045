//! The gRPC contract as clients see it, over TCP: outcomes, statuses, metadata.

use std::collections::HashMap;
use std::time::Duration;

use crate::support::grpc::GrpcReplica;
use tonic::{Code, Request, Response, Status};
use zephyrfs_proto::coordinator as wire;

fn registration(id: &str) -> wire::RegisterNodeRequest {
    wire::RegisterNodeRequest {
        node_id: id.to_owned(),
        addresses: vec![format!("{id}:9000")],
        storage_capacity: 1_000_000_000,
        capabilities: HashMap::from([("zone".to_owned(), "z1".to_owned())]),
    }
}

fn chunk(id: &str, index: i32) -> wire::ChunkMetadata {
    wire::ChunkMetadata {
        chunk_id: id.to_owned(),
        hash: format!("hash of {id}"),
        size: 1_000,
        index,
    }
}

fn file(id: &str, chunks: Vec<wire::ChunkMetadata>) -> wire::RegisterFileRequest {
    wire::RegisterFileRequest {
        file_id: id.to_owned(),
        file_name: "name".to_owned(),
        file_size: 2_000,
        file_hash: format!("hash of {id}"),
        chunks,
        owner_node_id: String::new(),
    }
}

fn index_of<T>(response: &Response<T>) -> u64 {
    let index = response
        .metadata()
        .get("applied-index")
        .expect("a reply says its index");
    index.to_str().unwrap().parse().unwrap()
}

fn with<T>(message: T, metadata: &[(&'static str, &str)]) -> Request<T> {
    let mut request = Request::new(message);
    for (name, value) in metadata {
        request.metadata_mut().insert(*name, value.parse().unwrap());
    }
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_goes_from_registration_to_deletion() {
    let replica = GrpcReplica::start().await;
    let mut client = replica.client();
    for id in ["n1", "n2", "n3"] {
        let registered = client.register_node(registration(id)).await.unwrap().into_inner();
        assert!(registered.success);
        assert_eq!(registered.assigned_node_id, id);
    }
    let request = file("f", vec![chunk("c2", 1), chunk("c1", 0)]);
    let registered = client.register_file(request.clone()).await.unwrap();
    let index = index_of(&registered);
    let registered = registered.into_inner();
    assert!(registered.success, "{}", registered.message);
    let placements = registered.chunk_placements;
    let order: Vec<_> = placements
        .iter()
        .map(|placement| placement.chunk_id.as_str())
        .collect();
    assert_eq!(order, ["c1", "c2"]);
    for placement in &placements {
        assert_eq!(placement.replication_factor, 3);
        let mut nodes = placement.target_nodes.clone();
        nodes.sort();
        assert_eq!(nodes, ["n1", "n2", "n3"]);
    }
    let again = client.register_file(request).await.unwrap().into_inner();
    assert_eq!(again.chunk_placements, placements);

    let stored = wire::UpdateChunkLocationsRequest {
        chunk_id: "c1".to_owned(),
        node_ids: vec!["n3".to_owned()],
        operation: "add".to_owned(),
    };
    assert!(
        client
            .update_chunk_locations(stored)
            .await
            .unwrap()
            .into_inner()
            .success
    );
    let find = |preferred_count| wire::FindChunkLocationsRequest {
        chunk_id: "c1".to_owned(),
        preferred_count,
    };
    let found = client.find_chunk_locations(find(0)).await.unwrap().into_inner();
    assert_eq!((found.node_ids.len(), found.node_ids[0].as_str()), (3, "n3"));
    assert_eq!(found.node_addresses[0], "n3:9000");
    let found = client.find_chunk_locations(find(1)).await.unwrap().into_inner();
    assert_eq!(found.node_ids, ["n3"]);

    let info = client
        .get_file_info(wire::GetFileInfoRequest {
            file_id: "f".to_owned(),
        })
        .await
        .unwrap();
    assert!(index_of(&info) >= index);
    let info = info.into_inner().file_info.unwrap();
    assert_eq!(info.chunks.len(), 2);
    assert_eq!(
        (info.chunks[0].chunk_id.as_str(), info.chunks[0].replication_count),
        ("c1", 3)
    );
    assert_eq!(info.chunks[0].stored_at_nodes[0], "n3");
    assert_eq!(
        (info.created_at, info.last_accessed),
        (1_700_000_000, 1_700_000_000)
    );

    let status = client
        .get_network_status(wire::GetNetworkStatusRequest {})
        .await
        .unwrap()
        .into_inner();
    let stats = status.network_stats.unwrap();
    assert_eq!((stats.total_nodes, stats.active_nodes), (3, 3));
    assert_eq!((stats.total_files, stats.total_chunks), (1, 2));
    assert_eq!(stats.total_storage_capacity, 3_000_000_000);

    let deletion = wire::DeleteFileRequest {
        file_id: "f".to_owned(),
    };
    assert!(
        client
            .delete_file(deletion.clone())
            .await
            .unwrap()
            .into_inner()
            .success
    );
    assert!(!client.delete_file(deletion).await.unwrap().into_inner().success);
    assert!(
        !client
            .find_chunk_locations(find(0))
            .await
            .unwrap()
            .into_inner()
            .success
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn outcomes_are_normal_replies_that_say_so() {
    let replica = GrpcReplica::start().await;
    let mut client = replica.client();
    let beat = wire::NodeHeartbeatRequest {
        node_id: "ghost".to_owned(),
        stats: None,
    };
    let response = client.node_heartbeat(beat).await.unwrap();
    index_of(&response);
    let response = response.into_inner();
    assert_eq!(
        (response.success, response.message.as_str()),
        (false, "node ghost is not registered")
    );

    let removal = wire::UnregisterNodeRequest {
        node_id: "ghost".to_owned(),
        reason: String::new(),
    };
    let response = client.unregister_node(removal).await.unwrap();
    index_of(&response);
    assert!(!response.into_inner().success);

    let response = client
        .register_file(file("f", vec![chunk("c", 0)]))
        .await
        .unwrap();
    index_of(&response);
    let response = response.into_inner();
    assert!(!response.success);
    assert!(
        response
            .message
            .starts_with("no active node has room for chunk c"),
        "{}",
        response.message
    );
    let info = client
        .get_file_info(wire::GetFileInfoRequest {
            file_id: "f".to_owned(),
        })
        .await
        .unwrap();
    index_of(&info);
    assert!(!info.into_inner().success, "nothing was stored");

    let update = wire::UpdateChunkLocationsRequest {
        chunk_id: "c".to_owned(),
        node_ids: vec!["n".to_owned()],
        operation: "move".to_owned(),
    };
    let response = client.update_chunk_locations(update).await.unwrap().into_inner();
    assert!(!response.success);
    assert!(response.message.contains("\"move\""), "{}", response.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_name_the_field_and_change_nothing() {
    fn refused<T>(result: Result<Response<T>, Status>, field: &str) {
        let status = result.err().expect(field);
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        assert!(status.message().starts_with(&format!("{field}: ")), "{status}");
    }
    let replica = GrpcReplica::start().await;
    let mut client = replica.client();
    let negative = wire::RegisterNodeRequest {
        storage_capacity: -1,
        ..registration("n")
    };
    refused(client.register_node(negative).await, "storage_capacity");
    refused(
        client
            .get_active_nodes(wire::GetActiveNodesRequest {
                limit: -1,
                exclude_nodes: vec![],
            })
            .await,
        "limit",
    );
    client.register_node(registration("n")).await.unwrap();
    let negative = wire::ChunkMetadata {
        size: -1,
        ..chunk("d", 1)
    };
    refused(
        client
            .register_file(file("f", vec![chunk("c", 0), negative]))
            .await,
        "chunks[1].size",
    );
    let twice = vec![chunk("c", 0), chunk("c", 1)];
    refused(client.register_file(file("f", twice)).await, "chunks[1].chunk_id");
    let nan = wire::NodeStats {
        cpu_usage: f64::NAN,
        ..wire::NodeStats::default()
    };
    let beat = wire::NodeHeartbeatRequest {
        node_id: "n".to_owned(),
        stats: Some(nan),
    };
    refused(client.node_heartbeat(beat).await, "stats.cpu_usage");
    let info = wire::GetFileInfoRequest {
        file_id: "f".repeat(257),
    };
    refused(client.get_file_info(info).await, "file_id");
    let list = wire::ListFilesRequest {
        limit: 0,
        page_token: "?".to_owned(),
    };
    refused(client.list_files(list).await, "page_token");
    let maintain = wire::MaintainNodeRequest {
        node_id: "n".to_owned(),
        r#for: "soon".to_owned(),
    };
    refused(client.maintain_node(maintain).await, "for");
    let status = client
        .get_network_status(wire::GetNetworkStatusRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(status.network_stats.unwrap().total_files, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunk_with_other_content_is_named_where_it_differs() {
    let replica = GrpcReplica::start().await;
    let mut client = replica.client();
    client.register_node(registration("n")).await.unwrap();
    client
        .register_file(file("f", vec![chunk("c", 0)]))
        .await
        .unwrap();
    let other_hash = wire::ChunkMetadata {
        hash: "other".to_owned(),
        ..chunk("c", 1)
    };
    let other_size = wire::ChunkMetadata {
        size: 7,
        ..chunk("c", 1)
    };
    for (other, field) in [(other_hash, "chunks[0].hash: "), (other_size, "chunks[0].size: ")] {
        let status = client
            .register_file(file("g", vec![other, chunk("d", 0)]))
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().starts_with(field), "{status}");
        assert!(status.metadata().get("applied-index").is_some());
    }
    let files = client
        .list_files(wire::ListFilesRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(files.items.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_of_something_is_a_limit() {
    let replica = GrpcReplica::start().await;
    let mut client = replica.client();
    let many = wire::RegisterNodeRequest {
        addresses: vec!["a:1".to_owned(); 17],
        ..registration("n")
    };
    let status = client.register_node(many).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(
        status.message(),
        "addresses: must have at most 16 addresses, got 17"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_chooses_idempotency_and_freshness() {
    let replica = GrpcReplica::start().await;
    let mut client = replica.client();
    let anonymous = || wire::RegisterNodeRequest {
        node_id: String::new(),
        ..registration("n")
    };
    let key = [("idempotency-key", "key-1")];
    let first = client
        .register_node(with(anonymous(), &key))
        .await
        .unwrap()
        .into_inner();
    let again = client.register_node(with(anonymous(), &key)).await.unwrap();
    let index = index_of(&again).to_string();
    assert_eq!(again.into_inner().assigned_node_id, first.assigned_node_id);
    let status = client
        .register_node(with(registration("m"), &key))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.metadata().get("applied-index").is_some());

    let id = || wire::GetNodeRequest {
        node_id: first.assigned_node_id.clone(),
    };
    for metadata in [
        vec![("consistency", "linearizable"), ("at-least", index.as_str())],
        vec![("consistency", "leader")],
        vec![
            ("consistency", "local"),
            ("at-least", index.as_str()),
            ("max-staleness", "5s"),
        ],
    ] {
        let node = client.get_node(with(id(), &metadata)).await.unwrap();
        assert!(index_of(&node) >= index.parse().unwrap());
        assert!(node.into_inner().success);
    }
    for (name, value) in [
        ("consistency", "strong"),
        ("at-least", "-1"),
        ("max-staleness", "5s"),
    ] {
        let status = client.get_node(with(id(), &[(name, value)])).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().starts_with(&format!("{name}: ")), "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_s_deadline_is_kept() {
    let replica = GrpcReplica::start().await;
    let mut client = replica.client();
    let never = [("consistency", "local"), ("at-least", "1000000")];
    let mut request = with(wire::ListNodesRequest::default(), &never);
    request.set_timeout(Duration::from_millis(300));
    let status = client.list_nodes(request).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    assert!(
        status
            .message()
            .contains("while the list of nodes was being read"),
        "{status}"
    );

    let status = client
        .list_nodes(with(
            wire::ListNodesRequest::default(),
            &[("grpc-timeout", "soon")],
        ))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().starts_with("grpc-timeout: "), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_and_change_nodes() {
    let replica = GrpcReplica::start().await;
    let mut client = replica.client();
    for id in ["a", "b"] {
        client.register_node(registration(id)).await.unwrap();
    }
    let drain = wire::DrainNodeRequest {
        node_id: "a".to_owned(),
    };
    let state = client.drain_node(drain).await.unwrap().into_inner();
    assert_eq!((state.success, state.status.as_str()), (true, "draining"));
    let list = |status: &str| wire::ListNodesRequest {
        status: status.to_owned(),
        limit: 1,
        page_token: String::new(),
    };
    let page = client.list_nodes(list("draining")).await.unwrap().into_inner();
    assert_eq!(
        (page.items[0].node_id.as_str(), page.next_page_token.as_str()),
        ("a", "")
    );
    assert_eq!(page.items[0].registered_at, 1_700_000_000);
    let page = client.list_nodes(list("")).await.unwrap().into_inner();
    assert!(!page.next_page_token.is_empty());
    let activate = wire::ActivateNodeRequest {
        node_id: "a".to_owned(),
    };
    assert_eq!(
        client.activate_node(activate).await.unwrap().into_inner().status,
        "active"
    );
    let maintain = wire::MaintainNodeRequest {
        node_id: "a".to_owned(),
        r#for: "30m".to_owned(),
    };
    assert_eq!(
        client.maintain_node(maintain).await.unwrap().into_inner().status,
        "maintenance"
    );
    let tasks = client
        .list_tasks(wire::ListTasksRequest::default())
        .await
        .unwrap()
        .into_inner();
    assert_eq!(tasks, wire::ListTasksResponse::default());

    client
        .register_file(file("f", vec![chunk("c", 0)]))
        .await
        .unwrap();
    let of_chunk = |chunk_id: &str| wire::GetChunkRequest {
        chunk_id: chunk_id.to_owned(),
    };
    let chunk = client
        .get_chunk(of_chunk("c"))
        .await
        .unwrap()
        .into_inner()
        .chunk
        .unwrap();
    assert_eq!(
        (chunk.file_id.as_str(), chunk.stored_at_nodes),
        ("f", vec!["b".to_owned()])
    );
    assert!(
        !client
            .get_chunk(of_chunk("d"))
            .await
            .unwrap()
            .into_inner()
            .success
    );
    let explain = wire::ExplainChunkRequest {
        chunk_id: "c".to_owned(),
    };
    let explained = client.explain_chunk(explain).await.unwrap().into_inner();
    assert_eq!(explained.wanted_replicas, 3);
    assert_eq!(explained.replicas.len(), 1);
    assert_eq!(explained.candidates.len(), 2);
    assert!(
        explained
            .candidates
            .iter()
            .all(|candidate| !candidate.eligible && !candidate.reason.is_empty())
    );

    let cluster = client
        .get_cluster_status(wire::GetClusterStatusRequest {})
        .await
        .unwrap();
    assert_eq!(index_of(&cluster), cluster.get_ref().applied_index);
    let cluster = cluster.into_inner();
    assert_eq!(
        (cluster.engine.as_str(), cluster.leader.as_str()),
        ("raft", "alone")
    );
    assert_eq!(
        (cluster.members.len(), cluster.members[0].role.as_str()),
        (1, "voter")
    );
}
