//! Watches that do not go on: what is forgotten, watchers that are too slow or too many, and the end of the process.

use std::time::Duration;

use futures::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};
use tonic::Code;
use zephyrfs_coordinator::service::{
    ChunkDescription, CutOff, FileRegistration, RequestContext, ServiceError, Watch, WatchQuery,
};
use zephyrfs_core::units::AppliedIndex;
use zephyrfs_proto::coordinator as wire;

use crate::replica::Replica;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);

fn after(index: u64) -> WatchQuery {
    WatchQuery {
        after: Some(index),
        ..WatchQuery::default()
    }
}

/// Takes what there is until the end of a watch: how many there were, where the last one said to go on, and the end.
async fn to_the_end(watch: &mut Watch) -> (usize, u64, ServiceError) {
    let mut count = 0;
    let mut resume_after = 0;
    loop {
        match watch.next().await.expect("a watch ends with a reason") {
            Ok(item) => {
                count += 1;
                resume_after = item.resume_after.get();
            }
            Err(error) => return (count, resume_after, error),
        }
    }
}

#[tokio::test]
async fn what_is_forgotten_is_refused_with_where_to_go_on() {
    let replica = Replica::start().await;
    replica.part.play(|script| script.forgotten = 40);
    let request = wire::WatchRequest {
        after: Some(39),
        ..wire::WatchRequest::default()
    };
    let refused = replica.grpc().watch(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange, "{refused}");
    assert_eq!(refused.metadata().get("oldest-index").unwrap(), "40");
    assert!(
        refused.message().contains("after index 39 is forgotten"),
        "{refused}"
    );

    let answer = replica.get("/watch?after=39").await;
    assert_eq!((answer.status, &answer.body["error"]), (410, &json!("too old")));
    assert!(answer.details().contains("40 at the least"), "{answer:?}");
    assert!(answer.leader.is_some());
}

#[tokio::test]
async fn a_watcher_that_is_overtaken_is_cut_off_and_told_where_to_go_on() {
    let replica = Replica::start().await;
    replica.fill().await;
    let request = wire::WatchRequest {
        after: Some(0),
        ..wire::WatchRequest::default()
    };
    let mut stream = replica.grpc().watch(request).await.unwrap().into_inner();
    let mut sse = replica.rest(Method::GET, "/watch?after=0").send().await.unwrap();
    while stream.next().await.unwrap().unwrap().resume_after < 2 {}
    let mut text = String::new();
    while !text.contains("id: 2\n") {
        let part = sse.chunk().await.unwrap().expect("it goes on");
        text.push_str(std::str::from_utf8(&part).unwrap());
    }
    replica.part.play(|script| script.forgotten = 9);
    let last = tokio::time::timeout(PATIENCE, stream.next()).await.unwrap();
    let status = last.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange, "{status}");
    assert_eq!(status.metadata().get("oldest-index").unwrap(), "9");
    assert!(stream.next().await.is_none());

    let rest = tokio::time::timeout(PATIENCE, sse.text()).await.unwrap().unwrap();
    let last = rest.trim_end().rsplit("\n\n").next().unwrap();
    let data = last.strip_prefix("event: error\ndata: ").expect(last);
    let data: Value = serde_json::from_str(data).unwrap();
    assert_eq!(
        (&data["error"], &data["oldest_index"]),
        (&json!("too old"), &json!(9))
    );
    assert!(
        data["details"].as_str().unwrap().contains("after index 2"),
        "{data}"
    );
    let metrics = replica.metrics().await;
    for line in [
        "coordinator_watchers 0\n",
        // A node, a file and a chunk, to each of the two.
        "coordinator_watch_events_total 6\n",
        "coordinator_watchers_cut_off_total{reason=\"too_old\"} 2\n",
        "coordinator_watchers_cut_off_total{reason=\"stalled\"} 0\n",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_watcher_that_takes_nothing_is_given_up_and_little_was_kept_for_it() {
    let replica = Replica::start().await;
    replica.part.play(|script| script.chatters = true);
    let mut watch = replica.service.watch(after(0), None).await.unwrap();
    let watchers = replica.service.watchers();
    while watchers.cut_off(CutOff::Stalled) == 0 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(
        watchers.count(),
        0,
        "its place is another's, though it is there still"
    );
    let (count, resume_after, error) = to_the_end(&mut watch).await;
    assert!(count <= 16, "{count} were kept");
    let ServiceError::WatchInterrupted {
        resume_after: told, ..
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!(told, AppliedIndex::new(resume_after), "where it is to go on");
    assert!(watch.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_watcher_that_takes_one_change_now_and_then_is_cut_off_when_the_others_are_forgotten() {
    let replica = Replica::start().await;
    let chunks = (0..100).map(|index| ChunkDescription {
        chunk_id: format!("c{index}"),
        hash: "hash".to_owned(),
        size: 1,
        index,
    });
    let file = FileRegistration {
        file_id: "f".to_owned(),
        file_name: "f.bin".to_owned(),
        file_size: 100,
        file_hash: "hash".to_owned(),
        chunks: chunks.collect(),
        owner_node_id: String::new(),
    };
    replica.fill().await;
    let registered = replica.service.register_file(file, RequestContext::default());
    registered.await.unwrap();
    let mut watch = replica.service.watch(after(2), None).await.unwrap();
    let mut count = 0;
    let error = loop {
        tokio::time::sleep(Duration::from_secs(20)).await;
        match watch.next().await.unwrap() {
            Ok(_) => count += 1,
            Err(error) => break error,
        }
        replica.part.play(|script| script.forgotten = 1_000);
    };
    assert!(count < 25, "{count} of 101 changes");
    assert!(matches!(error, ServiceError::TooOld { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_watch_at_a_replica_that_hears_of_no_leader_does_not_pretend_that_nothing_changes() {
    let replica = Replica::start().await;
    replica.fill().await;
    let mut watch = replica.service.watch(after(2), None).await.unwrap();
    watch.next().await.unwrap().unwrap();
    // An election is nothing to be told of.
    replica.part.play(|script| script.leader = None);
    tokio::time::sleep(Duration::from_secs(3)).await;
    replica.part.play(|script| script.leader = Some("c"));
    tokio::time::sleep(Duration::from_secs(6)).await;
    replica.part.play(|script| {
        script.leader = None;
        script.not_ready = Some("this replica is no member of the cluster");
    });
    let end = tokio::time::timeout(Duration::from_secs(9), to_the_end(&mut watch));
    let (count, _, error) = end.await.expect("it ends soon");
    assert!(count <= 1, "it was told how far this replica is {count} times");
    assert_eq!(
        error.to_string(),
        "this replica may be behind: this replica is no member of the cluster; watch again after index 2"
    );
    assert_eq!(replica.service.watchers().cut_off(CutOff::Engine), 1);
}

#[tokio::test(start_paused = true)]
async fn a_watcher_that_hears_nothing_is_told_how_far_the_replica_is() {
    let replica = Replica::start().await;
    replica.fill().await;
    let only_nodes = WatchQuery {
        kinds: vec!["node".to_owned()],
        ..after(2)
    };
    let mut watch = replica.service.watch(only_nodes, None).await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..3 {
        let item = watch.next().await.unwrap().unwrap();
        assert_eq!(item.details, None);
        seen.push(item.resume_after.get());
    }
    assert_eq!(seen, [2, 2, 2]);
    // Refused: an index at which nothing changes.
    let mut grpc = replica.grpc();
    let file_id = "nobody's".to_owned();
    grpc.delete_file(wire::DeleteFileRequest { file_id })
        .await
        .unwrap();
    while watch.next().await.unwrap().unwrap().resume_after.get() < 3 {}
}

#[tokio::test]
async fn the_watchers_own_time_ends_its_watch_and_the_servers_does_not() {
    let replica = Replica::start().await;
    let watch = |timeout: Option<Duration>| {
        let mut request = tonic::Request::new(wire::WatchRequest::default());
        if let Some(timeout) = timeout {
            request.set_timeout(timeout);
        }
        let mut grpc = replica.grpc();
        async move { grpc.watch(request).await.unwrap().into_inner() }
    };
    let mut short = watch(Some(Duration::from_millis(500))).await;
    let end = tokio::time::timeout(PATIENCE, async {
        loop {
            if let Err(status) = short.next().await.expect("it ends with a status") {
                return status;
            }
        }
    });
    let end = end.await.unwrap();
    assert_eq!(end.code(), Code::DeadlineExceeded, "{end}");
    let short = replica
        .rest(Method::GET, "/watch")
        .header("Request-Timeout", "300ms")
        .send();
    let text = tokio::time::timeout(PATIENCE, short.await.unwrap().text())
        .await
        .unwrap();
    assert!(
        text.unwrap()
            .contains("event: error\ndata: {\"error\":\"deadline exceeded\"")
    );
}

#[tokio::test(start_paused = true)]
async fn a_watch_without_a_time_outlasts_the_servers_deadline() {
    let replica = Replica::start().await;
    let mut watch = replica.service.watch(after(0), None).await.unwrap();
    let begun = tokio::time::Instant::now();
    while begun.elapsed() < crate::replica::DEFAULT_DEADLINE * 5 {
        watch.next().await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn every_watch_ends_when_the_process_stops() {
    let replica = Replica::start().await;
    replica.fill().await;
    let mut stream = replica
        .grpc()
        .watch(wire::WatchRequest::default())
        .await
        .unwrap()
        .into_inner();
    let begin = stream.next().await.unwrap().unwrap();
    assert_eq!((begin.resume_after, begin.kind.as_str()), (2, ""), "from now on");
    replica.service.end_watches();
    let end = tokio::time::timeout(PATIENCE, stream.next()).await.unwrap();
    let end = end.unwrap().unwrap_err();
    assert_eq!(end.code(), Code::Unavailable, "{end}");
    assert!(end.message().ends_with("watch again after index 2"), "{end}");
    let answer = replica.get("/watch").await;
    assert_eq!(answer.status, 503, "{answer:?}");
    let refused = replica.grpc().watch(wire::WatchRequest::default()).await;
    assert_eq!(refused.unwrap_err().code(), Code::Unavailable);
}
