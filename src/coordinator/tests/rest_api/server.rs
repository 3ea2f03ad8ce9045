//! A replica with its REST API and health port on ports of their own, and ways to speak to it.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use openraft::TokioRuntime;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use zephyrfs_coordinator::api::rest::{Rest, RestOptions};
use zephyrfs_coordinator::health::{self, HealthChecks, Lifecycle, Phase, Pulse};
use zephyrfs_coordinator::http_server::{self, ServerOptions};
use zephyrfs_coordinator::metrics::{MeteredEngine, Metrics};
use zephyrfs_coordinator::service::{IdSource, Limits, Policy, Service};
use zephyrfs_core::command::ExpireNodes;
use zephyrfs_core::id::{NodeId, RequestId};
use zephyrfs_core::units::Timestamp;
use zephyrfs_core::{Command, Engine, Proposal};
use zephyrfs_raft::{Alone, Files, Formation, Options, Peer, RaftEngine, Threads, Timing};

/// How long a test waits for what must come.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A replica and a client of it.
pub struct Server {
    pub rest: String,
    pub health: String,
    pub lifecycle: Lifecycle,
    pub stop: CancellationToken,
    pub serving: JoinHandle<()>,
    engine: Arc<RaftEngine<TokioRuntime, Files>>,
    pub service: Arc<Service>,
    client: reqwest::Client,
    directory: TempDir,
}

/// What a test may change about a replica before it starts.
pub struct Settings {
    pub rest: RestOptions,
    pub limits: Limits,
    pub policy: Policy,
    pub shows_metrics: bool,
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub index: Option<u64>,
    pub body: Value,
}

impl Server {
    /// A replica with the settings of production.
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// A replica with other settings.
    pub async fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings {
            rest: RestOptions::default(),
            limits: Limits::default(),
            policy: Policy::default(),
            shows_metrics: true,
        };
        change(&mut settings);
        let Settings {
            rest,
            limits,
            policy,
            shows_metrics,
        } = settings;
        let directory = TempDir::new().unwrap();
        let raft = start_engine(&directory).await;
        let metrics = Metrics::new().unwrap();
        let engine: Arc<dyn Engine> = Arc::new(MeteredEngine::new(
            Arc::clone(&raft) as Arc<dyn Engine>,
            metrics.clone(),
        ));
        metrics.observe(&engine).unwrap();
        let lifecycle = Lifecycle::starting(&["rest"]);
        let checks = HealthChecks::new(lifecycle.clone(), Pulse::begin());
        checks.observe(Arc::clone(&engine));
        let service = Arc::new(Service::new(
            engine,
            limits,
            policy,
            directory.path().to_owned(),
            IdSource::random(),
        ));
        metrics.observe_watchers(service.watchers()).unwrap();
        metrics.observe_repair(&service).unwrap();
        let stop = CancellationToken::new();
        let rest = Rest::new(Arc::clone(&service), checks.clone(), metrics.clone(), rest).unwrap();
        let (rest_listener, rest_url) = listener().await;
        let up = lifecycle.listener_up("rest");
        let stop_rest = stop.clone();
        let serving = tokio::spawn(async move {
            let _up = up;
            rest.serve(rest_listener, stop_rest).await;
        });
        let (health_listener, health_url) = listener().await;
        let app = health::router(checks, shows_metrics.then_some(metrics));
        let options = ServerOptions::named("health");
        tokio::spawn(http_server::serve(
            health_listener,
            app,
            options,
            CancellationToken::new(),
        ));
        lifecycle.enter(Phase::Serving);
        Self {
            rest: rest_url,
            health: health_url,
            lifecycle,
            stop,
            serving,
            engine: raft,
            service,
            client: reqwest::Client::new(),
            directory,
        }
    }

    /// Where the replica keeps its data.
    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// A request that is not sent yet.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client
            .request(method, format!("{}{path}", self.rest))
            .timeout(PATIENCE)
    }

    pub async fn get(&self, path: &str) -> Reply {
        send(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Reply {
        send(self.request(Method::POST, path).json(&body)).await
    }

    pub async fn post_nothing(&self, path: &str) -> Reply {
        send(self.request(Method::POST, path)).await
    }

    pub async fn put(&self, path: &str, body: Value) -> Reply {
        send(self.request(Method::PUT, path).json(&body)).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        send(self.request(Method::DELETE, path)).await
    }

    /// An answer of the health port.
    pub async fn probe(&self, path: &str) -> Reply {
        send(
            self.client
                .get(format!("{}{path}", self.health))
                .timeout(PATIENCE),
        )
        .await
    }

    /// The metrics as text.
    pub async fn metrics(&self) -> String {
        let response = self
            .client
            .get(format!("{}/metrics", self.health))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
        response.text().await.unwrap()
    }

    /// A connection that speaks no HTTP by itself.
    pub async fn connect(&self) -> TcpStream {
        let address = self.rest.strip_prefix("http://").unwrap();
        TcpStream::connect(address).await.unwrap()
    }

    /// Registers a node of 1 GB.
    pub async fn register_node(&self, id: &str) -> Reply {
        let body = json!({
            "node_id": id,
            "addresses": [format!("{id}:9000")],
            "storage_capacity": 1_000_000_000,
        });
        self.post("/api/v1/nodes/register", body).await
    }

    /// Registers a file with a chunk of each of these ids.
    pub async fn register_file(&self, id: &str, chunks: &[&str]) -> Reply {
        self.post("/api/v1/files/register", file(id, chunks)).await
    }

    /// Marks a node inactive, as the leader does with a silent one.
    pub async fn expire(&self, id: &str) {
        let command = Command::ExpireNodes(ExpireNodes {
            nodes: vec![NodeId::from(id)],
            silent_since: Timestamp::from_millis(u64::MAX),
        });
        let proposal = Proposal {
            id: RequestId::from_bytes(rand::random()),
            idempotency: None,
            command,
        };
        self.engine.execute(proposal, PATIENCE).await.unwrap();
    }

    /// Ends what has not ended.
    pub async fn end(self) {
        self.stop.cancel();
        tokio::time::timeout(PATIENCE, self.serving)
            .await
            .unwrap()
            .unwrap();
        self.engine.stop().await.unwrap();
    }
}

/// A file with a chunk of each of these ids.
pub fn file(id: &str, chunks: &[&str]) -> Value {
    let chunks: Vec<Value> = (0..)
        .zip(chunks)
        .map(|(index, chunk)| {
            json!({"chunk_id": chunk, "hash": format!("hash of {chunk}"), "size": 1_000, "index": index})
        })
        .collect();
    json!({
        "file_id": id,
        "file_name": format!("{id}.bin"),
        "file_size": 1_000 * chunks.len(),
        "file_hash": format!("hash of {id}"),
        "chunks": chunks,
        "owner_node_id": "somebody",
    })
}

/// Sends a request whose answer is JSON.
pub async fn send(request: RequestBuilder) -> Reply {
    let response = request.send().await.unwrap();
    let status = response.status();
    let headers = response.headers();
    assert_eq!(headers["content-type"], "application/json", "{status}");
    let index = headers
        .get("x-applied-index")
        .map(|index| index.to_str().unwrap().parse().unwrap());
    let body = response.json().await.unwrap();
    Reply { status, index, body }
}

impl Reply {
    /// Asserts an error body whose details begin like this.
    #[track_caller]
    pub fn assert_error(&self, status: u16, details: &str) {
        assert_eq!(self.status, status, "{self:?}");
        let found = self.body["details"]
            .as_str()
            .unwrap_or_else(|| panic!("no details: {self:?}"));
        assert!(found.starts_with(details), "expected {details:?}: {self:?}");
        assert!(self.body["error"].is_string(), "{self:?}");
        assert_eq!(self.body.as_object().unwrap().len(), 2, "{self:?}");
    }
}

/// Sends bytes on a connection of their own, and gives whatever comes until the other end closes it.
pub async fn exchange(mut stream: TcpStream, bytes: &[u8]) -> String {
    stream.write_all(bytes).await.unwrap();
    rest_of(&mut stream).await
}

/// Whatever comes until the other end closes the connection.
pub async fn rest_of(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer))
        .await
        .expect("the server must close the connection")
        .ok();
    String::from_utf8_lossy(&answer).into_owned()
}

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

async fn start_engine(directory: &TempDir) -> Arc<RaftEngine<TokioRuntime, Files>> {
    let options = Options {
        peer: Peer {
            name: "alone".to_owned(),
            address: "127.0.0.1:8092".to_owned(),
            client_address: "127.0.0.1:8080".to_owned(),
        },
        formation: Formation::default(),
        transport: Arc::new(Alone),
        disk: Files::new(directory.path().join("coordinator.db")).unwrap(),
        workers: Arc::new(Threads),
        clock: Arc::new(|| {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            Timestamp::from_millis(now.as_millis() as u64)
        }),
        cache_size: 16 << 20,
        max_pending_bytes: 64 << 20,
        timing: Timing {
            heartbeat: Duration::from_millis(80),
            election: (Duration::from_millis(250), Duration::from_millis(400)),
            flush: Duration::from_millis(50),
            snapshot_every: 100_000,
            keep_entries: 0,
        },
    };
    let engine = RaftEngine::start(options).await.unwrap();
    engine.recovered().await.unwrap();
    engine
}
