//! How many heartbeats can be answered in a second?

use std::sync::Arc;
use std::time::Instant;

use zephyrfs_proto::coordinator::NodeHeartbeatRequest;

use crate::bench::error::BenchError;
use crate::bench::load::{LoadClient, closed_loop};
use crate::bench::stage::Stage;
use crate::cli::bench::HeartbeatArgs;
use crate::client::Coordinator;
use crate::client::error::CallError;
use crate::fleet::Fleet;
use crate::layout::NodeIndex;
use crate::report::bench::{BenchReport, Setting};
use crate::shutdown::Shutdown;

/// Speaks for every so-manieth node in turn, so that the clients share the nodes out.
struct Client {
    coordinator: Arc<Coordinator>,
    fleet: Arc<Fleet>,
    next: usize,
    step: usize,
}

impl LoadClient for Client {
    async fn call(&mut self) -> Result<(), CallError> {
        let node = NodeIndex(self.next % self.fleet.len());
        self.next += self.step;
        let stats = self.fleet.with(node, |node| node.stats(Instant::now()));
        let request = NodeHeartbeatRequest {
            node_id: self.fleet.profile(node).id.clone(),
            stats: Some(stats),
        };
        self.coordinator
            .call(request, self.coordinator.first_attempt(), None)
            .await
            .map(|_| ())
    }
}

pub(super) async fn run(
    args: &HeartbeatArgs,
    setting: Setting,
    stage: &Stage,
    shutdown: &Shutdown,
) -> Result<BenchReport, BenchError> {
    let client = |number| Client {
        coordinator: Arc::clone(&stage.coordinator),
        fleet: Arc::clone(&stage.fleet),
        next: number,
        step: setting.clients,
    };
    let clients = (0..setting.clients).map(client).collect();
    stage.enter("sending heartbeats");
    let tally = closed_loop(clients, args.window, &shutdown.finish).await?;
    Ok(BenchReport::new(
        setting,
        tally.measured,
        &tally.latencies,
        &tally.errors,
        None,
    ))
}
