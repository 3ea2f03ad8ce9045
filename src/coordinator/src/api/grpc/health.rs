//! The standard health service: serving exactly while this replica should be asked.

use std::sync::Arc;
use std::time::Duration;

use tonic::server::NamedService;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use zephyrfs_proto::coordinator::coordinator_service_server::CoordinatorServiceServer;

use super::handlers::Handlers;
use crate::service::Service;

/// How often the engine is asked whether it is ready.
const INTERVAL: Duration = Duration::from_millis(500);

/// Reports readiness for as long as it is polled.
pub(super) async fn report(reporter: HealthReporter, service: Arc<Service>) {
    let mut ticks = tokio::time::interval(INTERVAL);
    loop {
        ticks.tick().await;
        let is_ready = service.cluster_status().not_ready.is_none();
        set(&reporter, is_ready).await;
    }
}

/// Tells watchers whether to send requests here; the empty name stands for the whole server.
pub(super) async fn set(reporter: &HealthReporter, is_serving: bool) {
    let status = if is_serving {
        ServingStatus::Serving
    } else {
        ServingStatus::NotServing
    };
    for name in ["", CoordinatorServiceServer::<Handlers>::NAME] {
        reporter.set_service_status(name, status).await;
    }
}
