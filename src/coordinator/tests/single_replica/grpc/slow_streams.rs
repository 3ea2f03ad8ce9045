//! Clients of streams that stop in the middle: they keep nothing from others.

use std::time::Duration;

use axum::body::Bytes;
use futures::StreamExt as _;
use futures::stream::pending;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codegen::Service as _;
use tonic::codegen::http;
use tonic::transport::Endpoint;
use tonic::{Code, body};
use zephyrfs_proto::coordinator as wire;
use zephyrfs_proto::coordinator::coordinator_service_client::CoordinatorServiceClient;

use crate::support::grpc::GrpcReplica;

/// Nothing that is waited for takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

const HEARTBEAT_STREAM: &str = "/zephyrfs.coordinator.CoordinatorService/HeartbeatStream";

/// The beginning of a message of 90,000 bytes: all but the last 10,000.
fn most_of_a_message() -> Bytes {
    let mut bytes = vec![0];
    bytes.extend(90_000_u32.to_be_bytes());
    // One long field.
    bytes.extend([0x12, 0x8c, 0xbf, 0x05]);
    bytes.resize(80_000, b'x');
    bytes.into()
}

/// Whether there is room for a message of 50,000 bytes.
async fn has_room(replica: &GrpcReplica) -> bool {
    let file_id = "f".repeat(50_000);
    let request = wire::GetFileInfoRequest { file_id };
    let info = replica.client().get_file_info(request).await;
    match info.unwrap_err().code() {
        Code::InvalidArgument => true,
        Code::Unavailable => false,
        other => panic!("{other}"),
    }
}

async fn until_there_is_room(replica: &GrpcReplica) {
    let waiting = async {
        while !has_room(replica).await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    waited.expect("there is room again");
}

/// Begins a stream, and stops in the middle of its first message. It ends when the server gives it up.
async fn send_most_of_a_message(replica: &GrpcReplica) -> JoinHandle<()> {
    let parts = futures::stream::iter([Ok::<_, tonic::Status>(most_of_a_message())]).chain(pending());
    let request = http::Request::post(format!("http://{}{HEARTBEAT_STREAM}", replica.address))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(body::Body::new(axum::body::Body::from_stream(parts)))
        .unwrap();
    let mut channel = replica.channel.clone();
    std::future::poll_fn(|context| channel.poll_ready(context))
        .await
        .unwrap();
    let answer = channel.call(request);
    tokio::spawn(async move {
        if let Ok(answer) = answer.await {
            // Until the server says why it ends.
            let _trailers = http_body_util::BodyExt::collect(answer.into_body()).await;
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_does_not_end_keeps_its_memory_for_a_while_only() {
    let replica = GrpcReplica::start_with(|options| {
        options.max_body_memory = 100_000;
        // Long enough to be seen on a machine that is busy with all the other tests.
        options.stream_patience = Duration::from_secs(10);
    })
    .await;
    // It is refused if it comes while a question is being answered that leaves no room for it. Then it comes again.
    let mut stream = send_most_of_a_message(&replica).await;
    let waiting = async {
        while has_room(&replica).await {
            if stream.is_finished() {
                stream = send_most_of_a_message(&replica).await;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .expect("the stream takes room");
    until_there_is_room(&replica).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_no_acknowledgement_is_given_up() {
    let replica = GrpcReplica::start_with(|options| {
        options.max_heartbeat_streams = 1;
        options.stream_patience = Duration::from_millis(500);
    })
    .await;
    // One answer is more than the client takes without reading.
    let narrow = Endpoint::from_shared(format!("http://{}", replica.address))
        .unwrap()
        .initial_stream_window_size(16_384);
    let mut client = CoordinatorServiceClient::new(narrow.connect().await.unwrap());
    let (windows, to_send) = mpsc::channel(1);
    let mut acks = client
        .heartbeat_stream(ReceiverStream::new(to_send))
        .await
        .unwrap()
        .into_inner();
    let sending = tokio::spawn(async move {
        let strangers = (0..999).map(|number| wire::NodeHeartbeatRequest {
            node_id: format!("{number:0>200}"),
            stats: None,
        });
        let beats: Vec<_> = strangers.collect();
        for sequence in 0.. {
            let beats = beats.clone();
            if windows
                .send(wire::HeartbeatWindow { sequence, beats })
                .await
                .is_err()
            {
                return;
            }
        }
    });
    // Its place becomes free although it is still there.
    let freed = async {
        let mut others = replica.client();
        while others.heartbeat_stream(tokio_stream::pending()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, freed)
        .await
        .expect("its place is free");
    let status = loop {
        match acks.message().await {
            Ok(ack) => drop(ack.expect("the end has a reason")),
            Err(status) => break status,
        }
    };
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    assert!(
        status.message().starts_with("no acknowledgement was taken"),
        "{status}"
    );
    tokio::time::timeout(PATIENCE, sending).await.unwrap().unwrap();
}
