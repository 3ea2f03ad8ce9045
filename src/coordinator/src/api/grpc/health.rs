//! The standard health service: serving exactly while this replica should be asked, as `/ready` of the health port says.

use std::time::Duration;

use tonic::server::NamedService;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use zephyrfs_proto::coordinator::coordinator_service_server::CoordinatorServiceServer;

use super::handlers::Handlers;
use crate::health::HealthChecks;

/// What is asked for: the whole server, or the one service that counts.
const NAMES: [&str; 2] = ["", CoordinatorServiceServer::<Handlers>::NAME];

/// How often readiness is looked at.
const INTERVAL: Duration = Duration::from_millis(500);

/// Reports readiness for as long as it is polled.
pub(super) async fn report(reporter: HealthReporter, checks: HealthChecks) {
    let mut ticks = tokio::time::interval(INTERVAL);
    loop {
        ticks.tick().await;
        set(&reporter, checks.ready().is_healthy()).await;
    }
}

/// Lets watchers go: their requests never end by themselves, and would hold up the end of the server. They still hear
/// what was set last.
pub(super) async fn dismiss(reporter: &HealthReporter) {
    for name in NAMES {
        reporter.clone().clear_service_status(name).await;
    }
}

/// Tells watchers whether to send requests here.
pub(super) async fn set(reporter: &HealthReporter, is_serving: bool) {
    let status = if is_serving {
        ServingStatus::Serving
    } else {
        ServingStatus::NotServing
    };
    for name in NAMES {
        reporter.set_service_status(name, status).await;
    }
}
