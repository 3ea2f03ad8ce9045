//! What the metadata of a request asks for: idempotency, freshness, a deadline.

use std::time::Duration;

use tonic::Code;
use zephyrfs_proto::coordinator as wire;

use super::messages::{index_of, registration, with};
use crate::support::grpc::GrpcReplica;

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
