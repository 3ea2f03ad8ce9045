//! Heartbeats of many nodes over one stream.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Endpoint;
use tonic::{Code, Request, Status, Streaming};
use zephyrfs_coordinator::service::{Repair, RequestContext};
use zephyrfs_proto::coordinator as wire;
use zephyrfs_proto::coordinator::coordinator_service_client::CoordinatorServiceClient;
use zephyrfs_proto::coordinator::heartbeat_result::Outcome;

use super::messages::registration;
use crate::support::file;
use crate::support::grpc::GrpcReplica;

/// Nothing that is waited for takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A stream, as its client holds it.
struct Stream {
    windows: mpsc::Sender<wire::HeartbeatWindow>,
    acks: Streaming<wire::HeartbeatWindowAck>,
}

impl Stream {
    async fn open(replica: &GrpcReplica) -> Self {
        Self::open_with(replica, |_| {}).await.unwrap()
    }

    async fn open_with(
        replica: &GrpcReplica,
        change: impl FnOnce(&mut Request<ReceiverStream<wire::HeartbeatWindow>>),
    ) -> Result<Self, Status> {
        Self::open_at(replica.client(), change).await
    }

    async fn open_at(
        mut client: CoordinatorServiceClient<tonic::transport::Channel>,
        change: impl FnOnce(&mut Request<ReceiverStream<wire::HeartbeatWindow>>),
    ) -> Result<Self, Status> {
        let (windows, to_send) = mpsc::channel(1);
        let mut request = Request::new(ReceiverStream::new(to_send));
        change(&mut request);
        let acks = client.heartbeat_stream(request).await?.into_inner();
        Ok(Self { windows, acks })
    }

    async fn send(&self, sequence: u64, beats: Vec<wire::NodeHeartbeatRequest>) {
        let window = wire::HeartbeatWindow { sequence, beats };
        self.windows.send(window).await.unwrap();
    }

    /// What comes next: an acknowledgement, the end, or why there are no more.
    async fn next(&mut self) -> Result<Option<wire::HeartbeatWindowAck>, Status> {
        let next = tokio::time::timeout(PATIENCE, self.acks.message()).await;
        next.expect("the replica says nothing")
    }

    async fn ack(&mut self) -> wire::HeartbeatWindowAck {
        self.next().await.unwrap().expect("an acknowledgement")
    }

    async fn beat(&mut self, beats: Vec<wire::NodeHeartbeatRequest>) -> Vec<wire::HeartbeatResult> {
        self.send(1, beats).await;
        self.ack().await.results
    }
}

fn beat(id: &str, uptime_seconds: i64) -> wire::NodeHeartbeatRequest {
    let stats = wire::NodeStats {
        uptime_seconds,
        ..wire::NodeStats::default()
    };
    wire::NodeHeartbeatRequest {
        node_id: id.to_owned(),
        stats: Some(stats),
    }
}

async fn register(replica: &GrpcReplica, ids: &[&str]) {
    for id in ids {
        replica.client().register_node(registration(id)).await.unwrap();
    }
}

async fn node(replica: &GrpcReplica, id: &str) -> wire::NodeRecord {
    let request = wire::GetNodeRequest {
        node_id: id.to_owned(),
    };
    let reply = replica.client().get_node(request).await.unwrap();
    reply.into_inner().node.expect("the node is known")
}

async fn uptime(replica: &GrpcReplica, id: &str) -> i64 {
    node(replica, id).await.stats.unwrap_or_default().uptime_seconds
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_of_many_nodes_are_acknowledged_in_order() {
    let replica = GrpcReplica::start().await;
    let ids: Vec<_> = (0..20).map(|number| format!("n{number}")).collect();
    register(&replica, &ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let mut stream = Stream::open(&replica).await;
    let sequences = [7, 3, 3, u64::MAX, 0, 1, 2, 4];
    let sending = async {
        for (sequence, round) in sequences.into_iter().zip(1..) {
            let beats = ids.iter().map(|id| beat(id, round)).collect();
            stream.send(sequence, beats).await;
        }
    };
    sending.await;
    for sequence in sequences {
        let ack = stream.ack().await;
        assert_eq!((ack.sequence, ack.results.as_slice()), (sequence, &[][..]));
        assert!(ack.applied_index >= 20);
    }
    for id in &ids {
        assert_eq!(uptime(&replica, id).await, 8);
    }
    // The client closes its side; there is nothing outstanding.
    drop(stream.windows);
    assert!(stream.acks.message().await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn beats_that_do_not_count_are_named_and_the_others_count() {
    let replica = GrpcReplica::start().await;
    register(&replica, &["a", "b", "gone"]).await;
    let removal = wire::UnregisterNodeRequest {
        node_id: "gone".to_owned(),
        reason: String::new(),
    };
    replica.client().unregister_node(removal).await.unwrap();
    let mut stream = Stream::open(&replica).await;
    let not_a_number = wire::NodeStats {
        cpu_usage: f64::NAN,
        ..wire::NodeStats::default()
    };
    let malformed = wire::NodeHeartbeatRequest {
        node_id: "b".to_owned(),
        stats: Some(not_a_number),
    };
    let beats = vec![
        beat("gone", 5),
        malformed,
        beat("ghost", 5),
        beat("a", 5),
        beat("", 5),
    ];
    let results = stream.beat(beats).await;
    let told: Vec<_> = results
        .iter()
        .map(|result| (result.position, result.node_id.as_str(), result.outcome()))
        .collect();
    let expected = [
        (0, "gone", Outcome::Register),
        (1, "b", Outcome::Malformed),
        (2, "ghost", Outcome::Register),
        (4, "", Outcome::Malformed),
    ];
    assert_eq!(told, expected);
    assert!(results[1].message.starts_with("stats.cpu_usage: "), "{results:?}");
    assert_eq!(results[2].message, "node ghost is not registered");
    assert_eq!(uptime(&replica, "a").await, 5);
    // The stream goes on, and so does the node that registers now.
    register(&replica, &["ghost"]).await;
    assert_eq!(stream.beat(vec![beat("ghost", 6)]).await, []);
    assert_eq!(uptime(&replica, "ghost").await, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_inactive_node_is_active_when_its_window_is_acknowledged() {
    let replica = GrpcReplica::start().await;
    register(&replica, &["a", "b", "c"]).await;
    for id in ["a", "b", "c"] {
        replica.replica.expire(id).await;
        assert_eq!(node(&replica, id).await.status, "inactive");
    }
    let mut stream = Stream::open(&replica).await;
    assert_eq!(stream.beat(vec![beat("a", 1), beat("b", 1)]).await, []);
    for (id, status) in [("a", "active"), ("b", "active"), ("c", "inactive")] {
        assert_eq!(node(&replica, id).await.status, status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_are_the_same_as_over_unary_heartbeats() {
    let replica = GrpcReplica::start().await;
    let service = &replica.replica.service;
    register(&replica, &["a"]).await;
    let registered = service
        .register_file(file("f", &["x", "y"]), RequestContext::default())
        .await;
    registered.unwrap();
    for chunk in ["x", "y"] {
        let stored = wire::UpdateChunkLocationsRequest {
            chunk_id: chunk.to_owned(),
            node_ids: vec!["a".to_owned()],
            operation: "add".to_owned(),
        };
        replica.client().update_chunk_locations(stored).await.unwrap();
    }
    register(&replica, &["b", "c"]).await;
    let mut repair = Repair::default();
    for _ in 0..2 {
        service.repair(&mut repair, Duration::ZERO).await.unwrap();
    }
    let mut stream = Stream::open(&replica).await;
    let results = stream.beat(vec![beat("a", 1), beat("c", 1), beat("b", 1)]).await;
    let told: Vec<_> = results
        .iter()
        .map(|result| (result.position, result.node_id.as_str(), result.outcome()))
        .collect();
    assert_eq!(told, [(1, "c", Outcome::Tasks), (2, "b", Outcome::Tasks)]);
    for result in results {
        let unary = replica.client().node_heartbeat(beat(&result.node_id, 1)).await;
        let mut expected = unary.unwrap().into_inner().tasks;
        assert_eq!(expected.len(), 2);
        let mut tasks = result.tasks;
        tasks.sort();
        expected.sort();
        assert_eq!(tasks, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_with_too_many_beats_ends_the_stream() {
    let replica = GrpcReplica::start().await;
    register(&replica, &["a"]).await;
    let mut stream = Stream::open(&replica).await;
    stream.send(1, vec![beat("a", 1); 1_000]).await;
    stream.send(2, vec![beat("a", 2); 1_001]).await;
    assert_eq!(stream.ack().await.sequence, 1);
    let status = stream.next().await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    assert_eq!(status.message(), "beats: must have at most 1000 beats, got 1001");
    assert_eq!(uptime(&replica, "a").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_its_answers_is_not_read_either() {
    const WINDOWS: u64 = 30;
    // The first window of which nothing may be seen: four are worked on, and some may be on their way out.
    const NEVER: u64 = 8;
    let replica = GrpcReplica::start_with(|options| options.max_body_memory = 4 << 20).await;
    let ids: Vec<_> = (0..WINDOWS).map(|number| format!("n{number}")).collect();
    register(&replica, &ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
    // One answer is more than the client takes without reading.
    let narrow = Endpoint::from_shared(format!("http://{}", replica.address))
        .unwrap()
        .initial_stream_window_size(16_384);
    let client = CoordinatorServiceClient::new(narrow.connect().await.unwrap());
    let Stream { windows, mut acks } = Stream::open_at(client, |_| {}).await.unwrap();
    let sending = tokio::spawn({
        let ids = ids.clone();
        async move {
            for (sequence, id) in (0..WINDOWS).zip(ids) {
                let strangers = (0..999).map(|number| beat(&format!("{number:0>200}"), 1));
                let beats = strangers.chain([beat(&id, 1)]).collect();
                windows
                    .send(wire::HeartbeatWindow { sequence, beats })
                    .await
                    .unwrap();
            }
        }
    });
    while uptime(&replica, "n0").await == 0 {
        tokio::task::yield_now().await;
    }
    // Time enough for whoever would read on.
    for _ in 0..300 {
        assert_eq!(uptime(&replica, &ids[NEVER as usize]).await, 0);
    }
    assert!(!sending.is_finished(), "everything was read");
    for sequence in 0..WINDOWS {
        let ack = tokio::time::timeout(PATIENCE, acks.message()).await.unwrap();
        let ack = ack.unwrap().unwrap();
        assert_eq!((ack.sequence, ack.results.len()), (sequence, 999));
    }
    sending.await.unwrap();
    assert_eq!(uptime(&replica, &ids[WINDOWS as usize - 1]).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_takes_memory_only_for_what_is_being_worked_on() {
    let replica = GrpcReplica::start_with(|options| options.max_body_memory = 100_000).await;
    register(&replica, &["a"]).await;
    let mut stream = Stream::open(&replica).await;
    for round in 1..=100 {
        assert_eq!(stream.beat(vec![beat("a", round); 500]).await, []);
    }
    assert_eq!(uptime(&replica, "a").await, 100);
    stream.send(1, vec![beat(&"x".repeat(250), 1); 1_000]).await;
    let status = stream.next().await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_too_long_or_cannot_be_read_is_the_client_s_error() {
    let replica = GrpcReplica::start_with(|options| options.max_message_size = 1_000).await;
    let mut stream = Stream::open(&replica).await;
    stream.send(1, vec![beat(&"x".repeat(250), 1); 5]).await;
    let status = stream.next().await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_has_its_client_s_deadline_and_no_other() {
    let replica = GrpcReplica::start_with(|options| options.default_deadline = Duration::ZERO).await;
    let mut stream = Stream::open(&replica).await;
    let results = stream.beat(vec![beat("", 1)]).await;
    assert_eq!(results[0].outcome(), Outcome::Malformed);

    let with_deadline = Stream::open_with(&replica, |request| {
        request.set_timeout(Duration::from_millis(50));
    });
    let status = match with_deadline.await {
        Ok(mut stream) => stream.next().await.unwrap_err(),
        Err(status) => status,
    };
    assert!(
        matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled),
        "{status}"
    );
    let unreadable = Stream::open_with(&replica, |request| {
        let metadata = request.metadata_mut();
        metadata.insert("grpc-timeout", "soon".parse().unwrap());
    });
    let status = unreadable.await.err().expect("no deadline is called that");
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_too_many_is_refused_until_another_ends() {
    let replica = GrpcReplica::start_with(|options| options.max_heartbeat_streams = 1).await;
    let first = Stream::open(&replica).await;
    let refused = Stream::open_with(&replica, |_| {})
        .await
        .err()
        .expect("it is one too many");
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    assert!(refused.message().contains("too many streams"), "{refused}");
    drop(first);
    let reopened = async {
        while Stream::open_with(&replica, |_| {}).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    let reopened = tokio::time::timeout(PATIENCE, reopened).await;
    reopened.expect("the place is free again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_acknowledges_what_it_read_and_ends_its_streams() {
    let replica = GrpcReplica::start_with(|options| options.drain = Duration::from_secs(3_600)).await;
    register(&replica, &["a"]).await;
    let mut stream = Stream::open(&replica).await;
    assert_eq!(stream.beat(vec![beat("a", 1)]).await, []);
    let stopping = tokio::spawn(replica.stop());
    let status = stream.next().await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert!(status.message().contains("is stopping"), "{status}");
    let stopped = tokio::time::timeout(PATIENCE, stopping).await;
    stopped
        .expect("the stream does not hold the server up")
        .unwrap()
        .unwrap();
}
