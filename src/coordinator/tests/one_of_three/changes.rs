//! Changes to the replicas: what reaches the engine, and what clients hear of its answer.

use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde_json::json;
use tonic::{Code, Request};
use zephyrfs_core::engine::{ClusterChange, ClusterError};
use zephyrfs_proto::coordinator as wire;

use crate::replica::{DEFAULT_DEADLINE, Replica, send};

fn transfer(replica: &Replica, to: &serde_json::Value) -> RequestBuilder {
    let request = replica.rest(Method::POST, "/cluster/transfer-leader");
    request.json(&json!({ "to": to }))
}

fn remove(replica: &Replica, name: &str) -> RequestBuilder {
    replica.rest(Method::DELETE, &format!("/cluster/members/{name}"))
}

fn resize(replica: &Replica, replicas: i64) -> RequestBuilder {
    let request = replica.rest(Method::POST, "/cluster/resize");
    request.json(&json!({ "replicas": replicas }))
}

/// What the engine was asked for, by either API.
fn expected() -> Vec<ClusterChange> {
    let to = |name: Option<&str>| ClusterChange::TransferLeader {
        to: name.map(str::to_owned),
    };
    let name = "c".to_owned();
    vec![
        to(None),
        to(Some("b")),
        ClusterChange::RemoveMember { name },
        ClusterChange::Resize { replicas: 5 },
    ]
}

fn asked(replica: &Replica) -> Vec<ClusterChange> {
    let changes = replica.part.changes();
    changes.into_iter().map(|(change, _)| change).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_reaches_the_engine_over_rest() {
    let replica = Replica::start().await;
    for request in [
        transfer(&replica, &json!(null)),
        transfer(&replica, &json!("b")),
        remove(&replica, "c"),
        resize(&replica, 5),
    ] {
        let answer = send(request).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.body, json!({ "success": true, "message": "done" }));
    }
    assert_eq!(asked(&replica), expected());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_reaches_the_engine_over_grpc() {
    let replica = Replica::start().await;
    let mut grpc = replica.grpc();
    let to = |name: &str| wire::TransferLeaderRequest { to: name.to_owned() };
    let name = "c".to_owned();
    for response in [
        grpc.transfer_leader(to("")).await,
        grpc.transfer_leader(to("b")).await,
        grpc.remove_member(wire::RemoveMemberRequest { name }).await,
        grpc.resize_cluster(wire::ResizeClusterRequest { replicas: 5 })
            .await,
    ] {
        let response = response.unwrap();
        assert!(response.metadata().contains_key("applied-index"));
        let wire::ClusterChangeResponse { success, message } = response.into_inner();
        assert_eq!((success, message.as_str()), (true, "done"));
    }
    assert_eq!(asked(&replica), expected());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_given_the_time_that_the_client_has() {
    let replica = Replica::start().await;
    send(resize(&replica, 3)).await;
    send(resize(&replica, 3).header("request-timeout", "2s")).await;
    let mut request = Request::new(wire::ResizeClusterRequest { replicas: 3 });
    request.set_timeout(Duration::from_secs(2));
    replica.grpc().resize_cluster(request).await.unwrap();
    let times: Vec<_> = replica.part.changes().into_iter().map(|(_, time)| time).collect();
    assert!(
        times[0] <= DEFAULT_DEADLINE && times[0] > Duration::from_secs(2),
        "{times:?}"
    );
    for time in &times[1..] {
        assert!((1_000..=1_900).contains(&time.as_millis()), "{times:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_engine_refuses_is_told_with_its_reason() {
    let replica = Replica::start().await;
    let reason = || "because of this".to_owned();
    let no_such = ClusterError::NoSuchMember {
        name: "x".to_owned(),
        known: vec!["a".to_owned(), "b".to_owned()],
    };
    for (error, status, words) in [
        (no_such, 404, "no member is called \"x\"; there are: a, b"),
        (ClusterError::Refused { reason: reason() }, 409, "because of this"),
        (
            ClusterError::Unavailable { reason: reason() },
            503,
            "because of this",
        ),
        (
            ClusterError::UnknownOutcome { reason: reason() },
            504,
            "because of this; the change may or may not be made: look at the cluster's status",
        ),
    ] {
        replica.part.play(|script| script.change = Err(error.clone()));
        let answer = send(remove(&replica, "x")).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(answer.details().starts_with(words), "{answer:?}");

        let name = "x".to_owned();
        let reply = replica
            .grpc()
            .remove_member(wire::RemoveMemberRequest { name })
            .await;
        let said = match (status, reply) {
            (404 | 409, Ok(reply)) => {
                let wire::ClusterChangeResponse { success, message } = reply.into_inner();
                assert!(!success);
                message
            }
            (503, Err(status)) if status.code() == Code::Unavailable => status.message().to_owned(),
            (504, Err(status)) if status.code() == Code::DeadlineExceeded => status.message().to_owned(),
            (_, reply) => panic!("{error:?} is told as {reply:?}"),
        };
        assert!(said.starts_with(words), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_meant_never_reaches_the_engine() {
    let replica = Replica::start().await;
    let long = "x".repeat(257);
    for (request, words) in [
        (resize(&replica, 0), "replicas: must be from 1 to 99, got 0"),
        (resize(&replica, 100), "replicas: must be from 1 to 99, got 100"),
        (transfer(&replica, &json!("")), "to: must not be empty"),
        (
            transfer(&replica, &json!("a\nb")),
            "to: must not contain control characters",
        ),
        (remove(&replica, &long), "name: must be at most 256 bytes long"),
    ] {
        let answer = send(request).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(answer.details().starts_with(words), "{answer:?}");
    }
    let mut grpc = replica.grpc();
    let name = String::new();
    let nameless = grpc.remove_member(wire::RemoveMemberRequest { name }).await;
    let negative = grpc
        .resize_cluster(wire::ResizeClusterRequest { replicas: -1 })
        .await;
    for (reply, field) in [(nameless, "name: "), (negative, "replicas: ")] {
        let status = reply.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().starts_with(field), "{status}");
    }
    assert_eq!(replica.part.changes(), []);
}
