//! How many heartbeats can be taken in a second over streams?

use std::sync::Arc;
use std::time::Instant;

use zephyrfs_proto::coordinator::NodeHeartbeatRequest;

use crate::bench::error::BenchError;
use crate::bench::load::{LoadClient, closed_loop};
use crate::bench::stage::Stage;
use crate::cli::bench::HeartbeatStreamArgs;
use crate::client::Coordinator;
use crate::client::beat_stream::BeatStream;
use crate::client::error::CallError;
use crate::fleet::Fleet;
use crate::layout::NodeIndex;
use crate::report::bench::{BenchReport, Setting};
use crate::shutdown::Shutdown;

/// Has a stream of its own, and speaks for every so-manieth node in turn, a window of them at a time.
struct Client {
    coordinator: Arc<Coordinator>,
    fleet: Arc<Fleet>,
    stream: Option<BeatStream>,
    next: usize,
    step: usize,
    window: usize,
}

impl Client {
    fn beats(&mut self) -> Vec<NodeHeartbeatRequest> {
        let now = Instant::now();
        (0..self.window)
            .map(|_| {
                let node = NodeIndex(self.next % self.fleet.len());
                self.next = self.next.wrapping_add(self.step);
                NodeHeartbeatRequest {
                    node_id: self.fleet.profile(node).id.clone(),
                    stats: Some(self.fleet.with(node, |node| node.stats(now))),
                }
            })
            .collect()
    }

    async fn beat_over(&mut self, stream: &mut BeatStream) -> Result<(), CallError> {
        // As many windows are on their way as the coordinator works on at a time.
        while !stream.is_full() {
            stream.send(self.beats())?;
        }
        for (_, result) in stream.acknowledged().await? {
            result?;
        }
        Ok(())
    }
}

impl LoadClient for Client {
    async fn call(&mut self) -> Result<(), CallError> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let attempt = self.coordinator.first_attempt();
                self.coordinator.open_beat_stream(attempt).await?
            }
        };
        // A stream that breaks is not used again.
        self.beat_over(&mut stream).await?;
        self.stream = Some(stream);
        Ok(())
    }
}

pub(super) async fn run(
    args: &HeartbeatStreamArgs,
    setting: Setting,
    stage: &Stage,
    shutdown: &Shutdown,
) -> Result<BenchReport, BenchError> {
    let client = |number| Client {
        coordinator: Arc::clone(&stage.coordinator),
        fleet: Arc::clone(&stage.fleet),
        stream: None,
        next: number,
        step: setting.clients,
        window: args.window_beats,
    };
    let clients = (0..setting.clients).map(client).collect();
    stage.enter("sending windows of heartbeats");
    let tally = closed_loop(clients, args.window, &shutdown.finish).await?;
    let report = BenchReport::new(setting, tally.measured, &tally.latencies, &tally.errors, None);
    let beats = report.operations * args.window_beats as u64;
    Ok(report.with_beats(beats))
}
