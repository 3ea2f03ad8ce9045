//! Nodes and their tasks.

use tonic::Code;
use zephyrfs_proto::coordinator as wire;

use super::messages::{index_of, refused, registration};
use crate::support::grpc::GrpcReplica;

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_node_is_a_normal_reply_that_says_so() {
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
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_name_the_field_and_change_nothing() {
    let replica = GrpcReplica::start().await;
    let mut client = replica.client();
    let negative = wire::RegisterNodeRequest {
        storage_capacity: -1,
        ..registration("n")
    };
    refused(client.register_node(negative).await, "storage_capacity");
    let active = wire::GetActiveNodesRequest {
        limit: -1,
        exclude_nodes: vec![],
    };
    refused(client.get_active_nodes(active).await, "limit");
    let nodes = client.list_nodes(wire::ListNodesRequest::default()).await;
    assert_eq!(nodes.unwrap().into_inner().items, []);

    client.register_node(registration("n")).await.unwrap();
    let nan = wire::NodeStats {
        cpu_usage: f64::NAN,
        ..wire::NodeStats::default()
    };
    let beat = wire::NodeHeartbeatRequest {
        node_id: "n".to_owned(),
        stats: Some(nan),
    };
    refused(client.node_heartbeat(beat).await, "stats.cpu_usage");
    let maintain = wire::MaintainNodeRequest {
        node_id: "n".to_owned(),
        r#for: "soon".to_owned(),
    };
    refused(client.maintain_node(maintain).await, "for");
    let nodes = client.list_nodes(wire::ListNodesRequest::default()).await;
    let nodes = nodes.unwrap().into_inner().items;
    assert_eq!(nodes.len(), 1);
    assert_eq!(
        (nodes[0].status.as_str(), nodes[0].stats),
        ("active", Some(wire::NodeStats::default()))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_addresses_are_a_limit() {
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
async fn operators_see_and_change_nodes() {
    let replica = GrpcReplica::start().await;
    let mut client = replica.client();
    for id in ["a", "b"] {
        let registered = client.register_node(registration(id)).await.unwrap().into_inner();
        assert!(registered.success);
        assert_eq!(registered.assigned_node_id, id);
    }
    let drain = wire::DrainNodeRequest {
        node_id: "a".to_owned(),
        force: false,
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
}
