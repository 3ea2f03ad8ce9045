//! What becomes of writes that are not answered in time, and that their clients hear of it before they give up.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use tonic::{Code, Request, Status};
use zephyrfs_coordinator::service::{RequestContext, ServiceError};
use zephyrfs_proto::coordinator as wire;

use crate::replica::{Answer, Replica, send};

/// How long clients wait here.
const TIMEOUT: Duration = Duration::from_millis(300);

async fn write_over_rest(replica: &Replica) -> Answer {
    let body = json!({ "node_id": "n", "addresses": [], "storage_capacity": 1 });
    let request = replica.rest(Method::POST, "/nodes/register").json(&body);
    // The client's own timer: an answer that comes later is none.
    send(request.header("request-timeout", "300ms").timeout(TIMEOUT)).await
}

async fn write_over_grpc(replica: &Replica) -> Status {
    let message = wire::RegisterNodeRequest {
        node_id: "n".to_owned(),
        ..wire::RegisterNodeRequest::default()
    };
    let mut request = Request::new(message);
    request.set_timeout(TIMEOUT);
    replica.grpc().register_node(request).await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_finds_no_leader_did_not_happen() {
    let replica = Replica::start().await;
    replica.part.play(|script| script.leader = None);
    let answer = write_over_rest(&replica).await;
    assert_eq!((answer.status, answer.details()), (503, "there is no leader"));
    let status = write_over_grpc(&replica).await;
    assert_eq!(
        (status.code(), status.message()),
        (Code::Unavailable, "there is no leader")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_waited_for_a_leader_in_vain_may_be_sent_again() {
    let replica = Replica::start().await;
    replica.fill().await;
    replica.part.play(|script| {
        script.leader = None;
        script.waits_for_leader = true;
    });
    let late = "and the deadline passed while the file was being read; this replica has applied index 2";
    for (not_ready, words) in [
        (None, "there is no leader"),
        (Some("no majority answers"), "no majority answers"),
    ] {
        replica.part.play(|script| script.not_ready = not_ready);
        let request = replica.rest(Method::GET, "/files/f");
        let answer = send(request.header("request-timeout", "300ms").timeout(TIMEOUT)).await;
        assert_eq!(answer.status, 503, "{answer:?}");
        assert_eq!(answer.details(), format!("{words}, {late}"));
    }
    let mut request = Request::new(wire::GetFileInfoRequest {
        file_id: "f".to_owned(),
    });
    request.set_timeout(TIMEOUT);
    let status = replica.grpc().get_file_info(request).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert_eq!(status.message(), format!("no majority answers, {late}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_for_what_is_left_on_a_node_ends_with_what_was_found_in_time() {
    let replica = Replica::start().await;
    replica.fill().await;
    let stored = wire::UpdateChunkLocationsRequest {
        chunk_id: "c".to_owned(),
        node_ids: vec!["n".to_owned()],
        operation: "add".to_owned(),
    };
    let stored = replica.grpc().update_chunk_locations(stored).await.unwrap();
    assert!(stored.into_inner().success);
    let drain = replica.rest(Method::POST, "/nodes/n/drain");
    assert_eq!(send(drain.json(&json!({ "force": true }))).await.status, 200);
    replica.part.play(|script| script.scans_forever = true);
    let request = replica.rest(Method::GET, "/nodes/n/drain?chunks=2");
    let answer = send(request.header("request-timeout", "300ms").timeout(TIMEOUT)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let left = answer.body["chunks"].as_array().unwrap();
    assert_eq!((left.len(), &left[0]["chunk_id"]), (1, &json!("c")), "{answer:?}");
    assert_eq!(answer.body["copies_left"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_was_handed_over_may_have_happened() {
    let replica = Replica::start().await;
    replica.part.play(|script| script.loses_writes = true);
    let words = "the leader did not answer; the write may or may not take effect";
    let answer = write_over_rest(&replica).await;
    assert_eq!(answer.status, 504, "{answer:?}");
    assert!(answer.details().starts_with(words), "{answer:?}");
    let status = write_over_grpc(&replica).await;
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    assert!(status.message().starts_with(words), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_that_is_to_wake_its_node_hears_that_there_is_no_leader() {
    let replica = Replica::start().await;
    replica.fill().await;
    replica.expire("n").await;
    replica.part.play(|script| script.leader = None);
    let request = replica.rest(Method::POST, "/nodes/n/heartbeat").json(&json!({}));
    let begun = Instant::now();
    let answer = send(request.header("request-timeout", "8s")).await;
    assert_eq!((answer.status, answer.details()), (503, "there is no leader"));
    assert!(begun.elapsed() < Duration::from_secs(6), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_that_is_over_begins_nothing() {
    let replica = Replica::start().await;
    let context = RequestContext {
        deadline: Some(Instant::now()),
        ..RequestContext::default()
    };
    let error = replica.service.resize_cluster(3, context).await.unwrap_err();
    assert!(
        matches!(&error, ServiceError::DeadlineExceeded { reason } if reason.contains("nothing was changed")),
        "{error:?}"
    );
    assert_eq!(replica.part.changes(), []);
}
