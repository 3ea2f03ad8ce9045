//! The replica with its APIs and its health port, and clients of them.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::transport::{Channel, Endpoint};
use tower::layer::util::Identity;
use zephyrfs_coordinator::api::grpc;
use zephyrfs_coordinator::api::rest::{Rest, RestOptions};
use zephyrfs_coordinator::health::{self, HealthChecks, Lifecycle, ListenerUp, Phase, Pulse};
use zephyrfs_coordinator::http_server::{self, ServerOptions};
use zephyrfs_coordinator::metrics::{MeteredEngine, Metrics};
use zephyrfs_coordinator::service::{IdSource, Limits, Policy, Service};
use zephyrfs_core::command::ExpireNodes;
use zephyrfs_core::id::{NodeId, RequestId};
use zephyrfs_core::units::Timestamp;
use zephyrfs_core::{Command, Engine, Proposal};
use zephyrfs_proto::coordinator as wire;
use zephyrfs_proto::coordinator::coordinator_service_client::CoordinatorServiceClient;

use crate::part::Part;

/// The deadline of requests that bring none.
pub(crate) const DEFAULT_DEADLINE: Duration = Duration::from_secs(20);

/// The replica.
pub(crate) struct Replica {
    pub(crate) part: Arc<Part>,
    pub(crate) service: Arc<Service>,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) channel: Channel,
    rest: String,
    health: String,
    http: reqwest::Client,
    _up: ListenerUp,
    _stop: DropGuard,
    _directory: TempDir,
}

/// An answer over REST.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) leader: Option<String>,
    pub(crate) body: Value,
}

impl Replica {
    /// A follower that serves.
    pub(crate) async fn start() -> Self {
        let replica = Self::starting().await;
        replica.lifecycle.enter(Phase::Serving);
        replica
    }

    /// A follower whose APIs are up, and that says that it is starting still.
    pub(crate) async fn starting() -> Self {
        let part = Arc::new(Part::following());
        let metrics = Metrics::new().unwrap();
        let engine: Arc<dyn Engine> = Arc::new(MeteredEngine::new(
            Arc::clone(&part) as Arc<dyn Engine>,
            metrics.clone(),
        ));
        metrics.observe(&engine).unwrap();
        let lifecycle = Lifecycle::starting(&["apis"]);
        let checks = HealthChecks::new(lifecycle.clone(), Pulse::begin());
        checks.observe(Arc::clone(&engine));
        let directory = TempDir::new().unwrap();
        let service = Arc::new(Service::new(
            engine,
            Limits::default(),
            Policy::default(),
            directory.path().to_owned(),
            IdSource::random(),
        ));
        metrics.observe_watchers(service.watchers()).unwrap();
        metrics.observe_repair(&service).unwrap();
        let stop = CancellationToken::new();
        tokio::spawn({
            let (service, stop) = (Arc::clone(&service), stop.clone());
            async move { service.flush_heartbeats_until(stop).await }
        });

        let (listener, grpc_address) = listener().await;
        let options = grpc::Options {
            default_deadline: DEFAULT_DEADLINE,
            drain: Duration::ZERO,
            ..grpc::Options::default()
        };
        let served = (Arc::clone(&service), checks.clone(), stop.clone());
        tokio::spawn(async move {
            let (service, checks, stop) = served;
            let stopped = stop.cancelled_owned();
            grpc::serve(listener, service, checks, options, Identity::new(), stopped).await
        });
        let (listener, rest_address) = self::listener().await;
        let options = RestOptions {
            request_timeout: DEFAULT_DEADLINE,
            ..RestOptions::default()
        };
        let rest = Rest::new(Arc::clone(&service), checks.clone(), metrics.clone(), options).unwrap();
        tokio::spawn(rest.serve(listener, stop.clone()));
        let (listener, health_address) = self::listener().await;
        let app = health::router(checks, Some(metrics));
        let options = ServerOptions::named("health");
        tokio::spawn(http_server::serve(listener, app, options, stop.clone()));

        let endpoint = Endpoint::from_shared(format!("http://{grpc_address}")).unwrap();
        Self {
            part,
            service,
            _up: lifecycle.listener_up("apis"),
            lifecycle,
            channel: endpoint.connect().await.unwrap(),
            rest: format!("http://{rest_address}/api/v1"),
            health: format!("http://{health_address}"),
            http: reqwest::Client::new(),
            _stop: stop.drop_guard(),
            _directory: directory,
        }
    }

    /// A client of the gRPC API.
    pub(crate) fn grpc(&self) -> CoordinatorServiceClient<Channel> {
        CoordinatorServiceClient::new(self.channel.clone())
    }

    /// A request to the REST API that is not sent yet.
    pub(crate) fn rest(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.rest))
    }

    /// An answer of the REST API.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(self.rest(Method::GET, path)).await
    }

    /// The status of a probe, and its report.
    pub(crate) async fn probe(&self, path: &str) -> (u16, Value) {
        let response = self
            .http
            .get(format!("{}{path}", self.health))
            .send()
            .await
            .unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }

    /// The metrics as text.
    pub(crate) async fn metrics(&self) -> String {
        let response = self.http.get(format!("{}/metrics", self.health)).send().await;
        response.unwrap().text().await.unwrap()
    }

    /// Registers a node.
    pub(crate) async fn register(&self, id: &str, capacity: i64) {
        let node = wire::RegisterNodeRequest {
            node_id: id.to_owned(),
            addresses: vec![format!("{id}.example:9000")],
            storage_capacity: capacity,
            ..wire::RegisterNodeRequest::default()
        };
        let registered = self.grpc().register_node(node).await.unwrap();
        assert!(registered.into_inner().success);
    }

    /// Registers a node of 1 GB, and a file of one chunk, each under the name `n`, `f`, `c`.
    pub(crate) async fn fill(&self) {
        self.register("n", 1_000_000_000).await;
        let chunk = wire::ChunkMetadata {
            chunk_id: "c".to_owned(),
            hash: "hash".to_owned(),
            size: 1_000,
            index: 0,
        };
        let file = wire::RegisterFileRequest {
            file_id: "f".to_owned(),
            file_name: "f.bin".to_owned(),
            file_size: 1_000,
            file_hash: "hash".to_owned(),
            chunks: vec![chunk],
            owner_node_id: String::new(),
        };
        let registered = self.grpc().register_file(file).await.unwrap();
        assert!(registered.into_inner().success);
    }
}

impl Replica {
    /// Marks a node inactive, as the leader does with a silent one.
    pub(crate) async fn expire(&self, id: &str) {
        let proposal = Proposal {
            id: RequestId::from_bytes(rand::random()),
            idempotency: None,
            command: Command::ExpireNodes(ExpireNodes {
                nodes: vec![NodeId::from(id)],
                silent_since: Timestamp::from_millis(u64::MAX),
            }),
        };
        self.part.execute(proposal, DEFAULT_DEADLINE).await.unwrap();
    }
}

impl Answer {
    /// What an error body says.
    #[track_caller]
    pub(crate) fn details(&self) -> &str {
        self.body["details"]
            .as_str()
            .unwrap_or_else(|| panic!("no details: {self:?}"))
    }
}

/// Sends a request whose answer is JSON.
pub(crate) async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let leader = response.headers().get("x-leader");
    Answer {
        status: response.status().as_u16(),
        leader: leader.map(|leader| leader.to_str().unwrap().to_owned()),
        body: response.json().await.unwrap(),
    }
}

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}
