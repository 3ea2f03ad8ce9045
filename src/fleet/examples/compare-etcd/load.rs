//! The closed loop, the same for both systems: each client sends its next request when the one before is answered.
//!
//! What begins and ends within the window counts; a client's calls take turns over a few shared connections.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use zephyrfs_fleet::measure::latency::Latencies;

use crate::api::{Api, Content, Operation};
use crate::cluster::Cluster;
use crate::error::CompareError;

/// In all, shared by all clients.
pub(crate) const CONNECTIONS: usize = 6;
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(50);
/// How often what writes need is written anew: well within what it lasts.
const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// Where requests are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Leader,
    /// All members in turn.
    Spread,
}

/// Who asks what of whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) operation: Operation,
    pub(crate) clients: usize,
    pub(crate) target: Target,
}

/// How long is measured, and what comes before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    pub(crate) warm_up: Duration,
    pub(crate) window: Duration,
}

/// What came of a load.
#[derive(Clone, Debug, Default)]
pub(crate) struct Measured {
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// Of all members together, for one operation.
    pub(crate) cpu_micros: f64,
    pub(crate) errors: u64,
    pub(crate) last_error: Option<String>,
    /// Terms that began meanwhile.
    pub(crate) elections: u64,
}

#[derive(Clone, Copy)]
struct Window {
    from: Instant,
    to: Instant,
}

#[derive(Default)]
struct Tally {
    latencies: Latencies,
    errors: u64,
    last_error: Option<String>,
}

/// Loads a cluster and measures it.
pub(crate) async fn run<A: Api>(
    cluster: &Cluster<A>,
    load: Load,
    timing: Timing,
    stock: &A::Stock,
) -> Result<Measured, CompareError> {
    let (leader, term) = cluster.leader().await?;
    let members = match load.target {
        Target::Leader => vec![leader],
        Target::Spread => cluster.all(),
    };
    let connections: Arc<[A]> = cluster.connections(&members, CONNECTIONS).into();
    let from = Instant::now() + timing.warm_up;
    let window = Window {
        from,
        to: from + timing.window,
    };
    let mut clients = JoinSet::new();
    for number in 0..load.clients {
        let connections = Arc::clone(&connections);
        clients.spawn(drive(connections, load.operation, number, stock.clone(), window));
    }
    let mut background = JoinSet::new();
    background.spawn(keep_alive(connections[0].clone()));

    sleep_until(window.from).await;
    let cpu_before = cluster.cpu()?;
    sleep_until(window.to).await;
    let cpu = cluster.cpu()?.saturating_sub(cpu_before);
    let mut total = Tally::default();
    while let Some(tally) = clients.join_next().await {
        let tally = tally?;
        total.latencies.merge(&tally.latencies);
        total.errors += tally.errors;
        total.last_error = tally.last_error.or(total.last_error);
    }
    let (_, term_after) = cluster.leader().await?;
    let summary = total.latencies.summary();
    Ok(Measured {
        per_second: summary.count as f64 / timing.window.as_secs_f64(),
        p50_ms: summary.p50_ms,
        p99_ms: summary.p99_ms,
        cpu_micros: cpu.as_secs_f64() * 1e6 / summary.count.max(1) as f64,
        errors: total.errors,
        last_error: total.last_error,
        elections: term_after.saturating_sub(term),
    })
}

async fn drive<A: Api>(
    connections: Arc<[A]>,
    operation: Operation,
    number: usize,
    stock: A::Stock,
    window: Window,
) -> Tally {
    let (mut tally, mut content, mut turn) = (Tally::default(), Content::new(), number);
    loop {
        let begin = Instant::now();
        if begin >= window.to {
            return tally;
        }
        let connection = &connections[turn % connections.len()];
        turn += 1;
        let result = connection.call(operation, &stock, &mut content).await;
        let end = Instant::now();
        let counts = begin >= window.from && end <= window.to;
        match result {
            Ok(()) if counts => tally.latencies.record(end - begin),
            Ok(()) => {}
            Err(status) => {
                if counts {
                    tally.errors += 1;
                    tally.last_error = Some(format!("{:?}: {}", status.code(), status.message()));
                }
                sleep(PAUSE_AFTER_ERROR).await;
            }
        }
    }
}

/// Goes on until it is dropped. A failure shows where it matters: in the writes.
pub(crate) async fn keep_alive<A: Api>(connection: A) {
    loop {
        let pause = match connection.keep_alive().await {
            Ok(()) => KEEP_ALIVE,
            Err(_) => PAUSE_AFTER_ERROR,
        };
        sleep(pause).await;
    }
}
