//! Every answer says where the leader is.

use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use zephyrfs_proto::coordinator as wire;

use crate::replica::Replica;

fn leader_of(metadata: &tonic::metadata::MetadataMap) -> Option<&str> {
    metadata.get("leader").map(|leader| leader.to_str().unwrap())
}

fn node(id: &str) -> wire::GetNodeRequest {
    wire::GetNodeRequest {
        node_id: id.to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_replies_and_errors_name_the_leader() {
    let replica = Replica::start().await;
    let mut grpc = replica.grpc();
    let reply = grpc.get_node(node("nobody")).await.unwrap();
    assert_eq!(leader_of(reply.metadata()), Some("b.example:8080"));

    // An error of a handler, one from before any handler, and one of a call that nobody knows.
    let malformed: Status = grpc.get_node(node("")).await.unwrap_err();
    let mut late = Request::new(node("n"));
    late.metadata_mut()
        .insert("grpc-timeout", "soon".parse().unwrap());
    let refused = grpc.get_node(late).await.unwrap_err();
    for status in [malformed, refused] {
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(leader_of(status.metadata()), Some("b.example:8080"), "{status}");
    }
    let service = String::new();
    let health = HealthClient::new(replica.channel.clone())
        .check(HealthCheckRequest { service })
        .await
        .unwrap();
    assert_eq!(leader_of(health.metadata()), Some("b.example:8080"));

    replica
        .part
        .play(|script| script.leader_address = Some("c.example:8080"));
    let reply = grpc.get_node(node("nobody")).await.unwrap();
    assert_eq!(leader_of(reply.metadata()), Some("c.example:8080"));
}

#[tokio::test(flavor = "multi_thread")]
async fn rest_answers_and_errors_name_the_leader() {
    let replica = Replica::start().await;
    for (path, status) in [
        ("/nodes", 200),
        ("/nodes/nobody", 404),
        ("/nodes?limit=x", 400),
        ("/nowhere", 404),
    ] {
        let answer = replica.get(path).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.leader.as_deref(), Some("b.example:8080"), "{answer:?}");
    }
    let cluster = replica.get("/cluster").await.body;
    assert_eq!(cluster["leader"], "b");
    assert_eq!(cluster["leader_address"], "b.example:8080");
    assert!(cluster["not_ready"].is_null(), "{cluster}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_nobody_knows_is_not_named() {
    let replica = Replica::start().await;
    for address in [None, Some("line\nbreak")] {
        replica.part.play(|script| script.leader_address = address);
        assert_eq!(replica.get("/nodes").await.leader, None);
        let reply = replica.grpc().get_node(node("nobody")).await.unwrap();
        assert_eq!(leader_of(reply.metadata()), None);
    }
    replica.part.play(|script| {
        script.leader_address = None;
        script.leader = None;
    });
    let status = replica
        .grpc()
        .get_cluster_status(wire::GetClusterStatusRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!((status.leader.as_str(), status.leader_address.as_str()), ("", ""));
}
