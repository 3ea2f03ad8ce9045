//! The server from start to stop.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use zephyrfs_core::Engine;
use zephyrfs_raft::serve_peers;

use super::error::AppError;
use super::listeners::{Listeners, port_of};
use super::opened::OpenedEngine;
use super::settings::DRAIN;
use super::{descriptors, memory, settings, signals};
use crate::api::grpc;
use crate::api::rest::Rest;
use crate::config::Config;
use crate::connections::incoming;
use crate::health::{self, HealthChecks, Lifecycle, Phase, Pulse};
use crate::http_server;
use crate::jobs::{Expiry, Housekeeping, Jobs, Releases, Repair};
use crate::metrics::{GrpcRequestsLayer, MeteredEngine, Metrics};
use crate::service::{IdSource, Service};

/// Peers notice within this that a replica that stops is gone.
const PEERS_DRAIN: Duration = Duration::from_millis(100);

/// A connection to the port for other replicas has so long to say that it speaks HTTP/2.
const PEER_GREETING: Duration = Duration::from_secs(5);

/// How often to look whether the engine can still go on.
const WATCH_ENGINE: Duration = Duration::from_millis(250);

/// Runs the server until a signal asks it to stop, or it cannot go on.
pub(super) async fn run(config: &Config) -> Result<(), AppError> {
    let apis = 1 + usize::from(config.http.enabled);
    let connections = descriptors::share(config.limits.max_connections, apis, !config.has_peers());
    let listeners = Listeners::bind(config)?;
    let metrics = Metrics::new()?;
    let mut served = vec!["grpc"];
    served.extend(config.http.enabled.then_some("rest"));
    served.extend(config.has_peers().then_some("peers"));
    let lifecycle = Lifecycle::starting(&served);
    let pulse = Pulse::begin();
    let checks = HealthChecks::new(lifecycle.clone(), pulse.clone());
    let running = Running::default();
    let stop = running.stop.clone();

    // The probes answer from the first moment on: a long recovery is no reason to be killed.
    running.spawn(async move { pulse.beat_until(stop).await });
    let shown = config.health.metrics_enabled.then(|| metrics.clone());
    let health_app = health::router(checks.clone(), shown);
    let health_port = port_of(&listeners.health);
    let options = settings::health_options(config, connections.probes);
    let health_stop = running.health_stop.clone();
    running
        .spawn(async move { http_server::serve(listeners.health, health_app, options, health_stop).await });

    let ports = settings::Ports {
        grpc: port_of(&listeners.grpc),
        peers: listeners.peers.as_ref().and_then(port_of),
    };
    let opened = OpenedEngine::open(config, ports, &metrics).await?;
    if let (Some(listener), OpenedEngine::Raft(raft)) = (listeners.peers, &opened) {
        let service = raft.peer_service();
        let stop = running.peers_stop.clone().cancelled_owned();
        let up = lifecycle.listener_up("peers");
        running.peers.spawn(async move {
            let _up = up;
            let peers = incoming("peers", listener, connections.peers, PEER_GREETING);
            if let Err(error) = serve_peers(peers, service, stop).await {
                tracing::error!(%error, "Serving the other replicas failed");
            }
        });
    }
    let engine: Arc<dyn Engine> = Arc::new(MeteredEngine::new(opened.engine(), metrics.clone()));
    metrics.observe(&engine)?;
    checks.observe(Arc::clone(&engine));
    let ids = IdSource::random();
    let service = Arc::new(Service::new(
        Arc::clone(&engine),
        settings::limits(config),
        settings::policy(config),
        config.data_path.clone(),
        ids.clone(),
    ));
    metrics.observe_watchers(service.watchers())?;
    metrics.observe_repair(&service)?;
    let beats = Arc::clone(&service);
    let beats_stop = running.beats_stop.clone();
    running.spawn(async move { beats.flush_heartbeats_until(beats_stop).await });

    let jobs = Jobs::new(Arc::clone(&engine), running.stop.clone());
    let (limit, interval, stop) = (
        config.health.memory_limit,
        config.health.check_interval,
        running.stop.clone(),
    );
    running.spawn(memory::watch(limit, interval, stop));

    let grpc_port = port_of(&listeners.grpc);
    let up = lifecycle.listener_up("grpc");
    let stopping = running.stop.clone().cancelled_owned();
    let options = settings::grpc_options(config, connections.api);
    let counting = GrpcRequestsLayer::new(metrics.clone())?;
    let (served, readiness) = (Arc::clone(&service), checks.clone());
    let grpc = grpc::serve(listeners.grpc, served, readiness, options, counting, stopping);
    let mut grpc = running.servers.spawn(async move {
        let _up = up;
        grpc.await
    });
    let rest_port = listeners.rest.as_ref().and_then(port_of);
    if let Some(listener) = listeners.rest {
        let rest = Rest::new(
            Arc::clone(&service),
            checks,
            metrics,
            settings::rest_options(config, connections.api),
        )?;
        let up = lifecycle.listener_up("rest");
        let stop = running.stop.clone();
        running.servers.spawn(async move {
            let _up = up;
            rest.serve(listener, stop).await;
        });
    }
    // Requests are taken before this replica has found the others: they wait for a leader, or learn why there is none.
    let serving = async {
        opened.recovered().await?;
        start_jobs(&jobs, &engine, &service, ids, config);
        lifecycle.enter(Phase::Serving);
        tracing::info!(
            grpc_port,
            http_port = rest_port,
            metrics_port = health_port,
            "Coordinator ready"
        );
        std::future::pending::<Result<Infallible, AppError>>().await
    };
    let ended = tokio::select! {
        signal = signals::asked_to_stop() => signal.map_err(AppError::Runtime).map(|signal| {
            tracing::info!(signal, "Coordinator stopping");
        }),
        reason = engine_failure(&opened) => Err(AppError::EngineFailed(reason)),
        served = &mut grpc => Err(match served {
            Ok(Err(error)) => error.into(),
            Ok(Ok(())) | Err(_) => AppError::ServerEnded("gRPC"),
        }),
        Err(error) = serving => Err(error),
    };

    lifecycle.enter(Phase::Stopping);
    // Requests are still taken meanwhile: they go to the next leader.
    opened.hand_over().await;
    service.end_watches();
    running.stop.cancel();
    jobs.ended().await;
    running.servers_ended().await;
    running.beats_stop.cancel();
    running.health_stop.cancel();
    running.ended().await;
    let closed = opened.stop().await;
    // Until now the other replicas were answered, so that they noticed nothing of the handover.
    running.peers_stop.cancel();
    running.peers_ended().await;
    ended?;
    closed?;
    tracing::info!("Coordinator stopped");
    Ok(())
}

/// Starts what works on its own, by proposing commands.
fn start_jobs(jobs: &Jobs, engine: &Arc<dyn Engine>, service: &Arc<Service>, ids: IdSource, config: &Config) {
    jobs.start(Expiry::new(
        Arc::clone(engine),
        ids,
        config.coordinator.node_inactive_after,
    ));
    jobs.start(Releases::new(Arc::clone(service)));
    jobs.start(Repair::new(Arc::clone(service)));
    jobs.start(Housekeeping::new(
        Arc::clone(service),
        config.coordinator.cleanup_interval,
    ));
}

/// What runs beside the main task, and how it is told to end: first whatever takes requests, then what they need.
struct Running {
    stop: CancellationToken,
    beats_stop: CancellationToken,
    health_stop: CancellationToken,
    peers_stop: CancellationToken,
    servers: TaskTracker,
    peers: TaskTracker,
    others: TaskTracker,
}

impl Default for Running {
    fn default() -> Self {
        Self {
            stop: CancellationToken::new(),
            beats_stop: CancellationToken::new(),
            health_stop: CancellationToken::new(),
            peers_stop: CancellationToken::new(),
            servers: TaskTracker::new(),
            peers: TaskTracker::new(),
            others: TaskTracker::new(),
        }
    }
}

impl Running {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.others.spawn(task);
    }

    /// The servers give requests in progress some time of their own; a little more ends them all.
    async fn servers_ended(&self) {
        self.servers.close();
        if tokio::time::timeout(DRAIN + Duration::from_secs(2), self.servers.wait())
            .await
            .is_err()
        {
            tracing::warn!("A server did not end in time; its requests are cut off");
        }
    }

    /// Peers keep their connections open; what is left of them is cut off.
    async fn peers_ended(&self) {
        self.peers.close();
        if tokio::time::timeout(PEERS_DRAIN, self.peers.wait())
            .await
            .is_err()
        {
            tracing::debug!("Connections of other replicas are cut off");
        }
    }

    async fn ended(&self) {
        self.others.close();
        if tokio::time::timeout(DRAIN, self.others.wait()).await.is_err() {
            tracing::warn!("A background task did not end in time; it is cut off");
        }
    }
}

/// Ends when the engine cannot go on, with the reason.
async fn engine_failure(engine: &OpenedEngine) -> String {
    let mut ticks = tokio::time::interval(WATCH_ENGINE);
    loop {
        ticks.tick().await;
        if let Some(reason) = engine.failure() {
            return reason;
        }
    }
}
