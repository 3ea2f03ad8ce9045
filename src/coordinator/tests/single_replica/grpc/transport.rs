//! What the gRPC server makes of messages and connections that are not as they should be, and its standard
//! services.

use std::time::Duration;

use prost::Message;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Code, Request, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_prost::ProstCodec;
use zephyrfs_proto::coordinator as wire;

use crate::support::grpc::GrpcReplica;

/// A request for a file whose id may be anything at all.
#[derive(Clone, PartialEq, Message)]
struct RawFileRequest {
    #[prost(bytes = "vec", tag = "1")]
    file_id: Vec<u8>,
}

const REGISTER_FILE: &str = "/zephyrfs.coordinator.CoordinatorService/RegisterFile";
const GET_FILE_INFO: &str = "/zephyrfs.coordinator.CoordinatorService/GetFileInfo";

async fn call<M: Message + 'static>(replica: &GrpcReplica, path: &'static str, message: M) -> Status {
    let mut grpc = tonic::client::Grpc::new(replica.channel.clone());
    grpc.ready().await.unwrap();
    let codec = ProstCodec::<M, wire::GetFileInfoResponse>::default();
    let request = Request::new(message);
    grpc.unary(request, PathAndQuery::from_static(path), codec)
        .await
        .unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn text_that_is_not_utf8_is_the_client_s_error() {
    let replica = GrpcReplica::start().await;
    let status = call(
        &replica,
        GET_FILE_INFO,
        RawFileRequest {
            file_id: vec![b'f', 0xff],
        },
    )
    .await;
    assert_eq!(status.code(), Code::InvalidArgument, "{status}");
    assert!(status.message().contains("file_id"), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_over_the_limit_is_a_limit() {
    let replica = GrpcReplica::start_with(|options| options.max_message_size = 1_000).await;
    let status = call(
        &replica,
        GET_FILE_INFO,
        RawFileRequest {
            file_id: vec![b'f'; 1_001],
        },
    )
    .await;
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert!(status.message().contains("the limit is: 1000 bytes"), "{status}");
    // The connection goes on.
    let info = wire::GetFileInfoRequest {
        file_id: "f".to_owned(),
    };
    assert!(replica.client().get_file_info(info).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_take_no_more_memory_than_is_planned_for() {
    let replica = GrpcReplica::start_with(|options| options.max_body_memory = 10_000).await;
    let status = call(
        &replica,
        GET_FILE_INFO,
        RawFileRequest {
            file_id: vec![b'f'; 20_000],
        },
    )
    .await;
    assert_eq!(status.code(), Code::Unavailable, "{status}");
    // What was taken is given back, however often.
    for _ in 0..100 {
        let info = wire::GetFileInfoRequest {
            file_id: "f".repeat(200),
        };
        assert!(replica.client().get_file_info(info).await.is_ok());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_million_chunks_are_refused_by_name_before_they_are_decoded() {
    let replica = GrpcReplica::start().await;
    // Two bytes each on the wire; decoded, thirty times as much.
    let chunks = vec![wire::ChunkMetadata::default(); 1_000_000];
    let request = wire::RegisterFileRequest {
        chunks,
        ..wire::RegisterFileRequest::default()
    };
    let status = call(&replica, REGISTER_FILE, request).await;
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert_eq!(
        status.message(),
        "chunks: there are too many; a message of this length may have 65536 fields in all"
    );
    let request = wire::GetActiveNodesRequest {
        exclude_nodes: vec![String::new(); 1_000_000],
        ..wire::GetActiveNodesRequest::default()
    };
    let status = replica.client().get_active_nodes(request).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    assert!(status.message().starts_with("exclude_nodes: "), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_too_many_is_refused_until_another_is_done() {
    let replica = GrpcReplica::start_with(|options| options.max_requests = 1).await;
    let info = || wire::GetFileInfoRequest {
        file_id: "f".to_owned(),
    };
    let everything = HealthCheckRequest {
        service: String::new(),
    };
    let mut health = HealthClient::new(replica.channel.clone());
    let mut watch = health.watch(everything).await.unwrap().into_inner();
    watch.message().await.unwrap().expect("a status");
    let refused = replica.client().get_file_info(info()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    assert!(
        refused.message().starts_with("too many requests are in progress"),
        "{refused}"
    );
    drop(watch);
    // A request that is answered leaves its place too, a moment after its client has the answer.
    for left_by in ["a watch that is given up", "a request that is answered"] {
        let taken = async {
            while replica.client().get_file_info(info()).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        let taken = tokio::time::timeout(Duration::from_secs(10), taken).await;
        taken.unwrap_or_else(|_| panic!("{left_by} keeps its place"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_rpc_that_nobody_knows_is_unimplemented() {
    let replica = GrpcReplica::start().await;
    for path in [
        "/zephyrfs.coordinator.CoordinatorService/Nothing",
        "/other.Service/GetFileInfo",
    ] {
        let status = call(&replica, path, RawFileRequest { file_id: Vec::new() }).await;
        assert_eq!(status.code(), Code::Unimplemented, "{path}: {status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_says_nothing_does_not_keep_others_out_for_ever() {
    let replica = GrpcReplica::start_with(|options| {
        options.max_connections = 2;
        options.greeting_timeout = Duration::from_millis(50);
    })
    .await;
    // One place is the first client's, the other the silent connection's.
    let mut silent = TcpStream::connect(replica.address).await.unwrap();
    let mut third = replica.connect_again().await;
    let info = wire::GetFileInfoRequest {
        file_id: "f".to_owned(),
    };
    assert!(third.get_file_info(info.clone()).await.is_ok());
    let mut heard = Vec::new();
    silent.read_to_end(&mut heard).await.unwrap();
    // A connection that did say something stays, however long it is idle.
    assert!(replica.client().get_file_info(info).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_serving_until_the_server_stops() {
    let replica = GrpcReplica::start_with(|options| options.drain = Duration::from_secs(3_600)).await;
    let mut health = HealthClient::new(replica.channel.clone());
    for service in ["", "zephyrfs.coordinator.CoordinatorService"] {
        let request = || HealthCheckRequest {
            service: service.to_owned(),
        };
        let mut watch = health.watch(request()).await.unwrap().into_inner();
        loop {
            let HealthCheckResponse { status } = watch.message().await.unwrap().expect("a status");
            if status == ServingStatus::Serving as i32 {
                break;
            }
        }
        let response = health.check(request()).await.unwrap().into_inner();
        assert_eq!(response.status(), ServingStatus::Serving);
    }
    let unknown = HealthCheckRequest {
        service: "other".to_owned(),
    };
    assert_eq!(health.check(unknown).await.unwrap_err().code(), Code::NotFound);

    let request = HealthCheckRequest {
        service: String::new(),
    };
    let mut watch = health.watch(request).await.unwrap().into_inner();
    let stopping = tokio::spawn(replica.stop());
    let mut last = None;
    while let Ok(Some(response)) = watch.message().await {
        last = Some(response.status());
    }
    assert_eq!(last, Some(ServingStatus::NotServing));
    // The watch, which never ends by itself, does not hold the server up.
    let stopped = tokio::time::timeout(Duration::from_secs(10), stopping).await;
    stopped.expect("the server ends").unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn reflection_tells_the_services_only_where_it_is_enabled() {
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
    use tonic_reflection::pb::v1::{ListServiceResponse, ServerReflectionRequest};
    use tonic_reflection::pb::v1alpha;

    let ask = || ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let without = GrpcReplica::start().await;
    let mut client = ServerReflectionClient::new(without.channel.clone());
    let status = client
        .server_reflection_info(tokio_stream::once(ask()))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);

    let with = GrpcReplica::start_with(|options| options.reflection = true).await;
    let mut client = ServerReflectionClient::new(with.channel.clone());
    let mut replies = client
        .server_reflection_info(tokio_stream::once(ask()))
        .await
        .unwrap()
        .into_inner();
    let reply = replies.message().await.unwrap().unwrap().message_response;
    let Some(MessageResponse::ListServicesResponse(ListServiceResponse { service })) = reply else {
        panic!("not a list of services: {reply:?}");
    };
    let names: Vec<_> = service.iter().map(|service| service.name.as_str()).collect();
    for name in ["zephyrfs.coordinator.CoordinatorService", "grpc.health.v1.Health"] {
        assert!(names.contains(&name), "{names:?}");
    }

    let mut older = v1alpha::server_reflection_client::ServerReflectionClient::new(with.channel.clone());
    let ask = v1alpha::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(
            v1alpha::server_reflection_request::MessageRequest::FileContainingSymbol(
                "zephyrfs.coordinator.CoordinatorService".to_owned(),
            ),
        ),
    };
    let mut replies = older
        .server_reflection_info(tokio_stream::once(ask))
        .await
        .unwrap()
        .into_inner();
    let reply = replies.message().await.unwrap().unwrap().message_response;
    let found = matches!(
        reply,
        Some(v1alpha::server_reflection_response::MessageResponse::FileDescriptorResponse(_))
    );
    assert!(found, "{reply:?}");
}
