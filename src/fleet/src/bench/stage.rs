//! What every bench stands on: registered nodes that beat in the background, the connections, and the
//! progress display.
//!
//! The nodes ignore tasks: copying is not what is measured.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::cli::bench::LoadArgs;
use crate::client::Coordinator;
use crate::client::connections::{Connections, NoEndpoint};
use crate::fleet::Fleet;
use crate::losses::Losses;
use crate::measure::counters::Counters;
use crate::measure::recorder::Recorder;
use crate::operation::Operation;
use crate::progress::{self, Line, Speed};
use crate::runner::scheduler::{LifePlan, Scheduler};
use crate::shutdown::Shutdown;

/// How often the nodes in the background beat.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// How long the coordinator has to register them all, at least.
const REGISTER_WITHIN: Duration = Duration::from_secs(60);
/// How much longer it has for each.
const REGISTER_EACH: Duration = Duration::from_millis(2);

/// Nodes and connections, ready for a bench.
#[derive(Debug)]
pub struct Stage {
    /// Who sends the requests.
    pub coordinator: Arc<Coordinator>,
    /// The nodes.
    pub fleet: Arc<Fleet>,
    phase: Arc<Mutex<&'static str>>,
    stop: CancellationToken,
    background: Mutex<Vec<JoinHandle<Result<(), JoinError>>>>,
}

/// Why the stage could not be set.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// There is no coordinator to speak to.
    #[error(transparent)]
    NoEndpoint(#[from] NoEndpoint),
    /// Not all nodes could be registered.
    #[error("{missing} of {nodes} nodes could not be registered{}", last_error(last))]
    NotRegistered {
        /// How many are missing.
        missing: usize,
        /// How many there should be.
        nodes: usize,
        /// What went wrong the last time.
        last: Option<String>,
    },
}

fn last_error(message: &Option<String>) -> String {
    message
        .as_ref()
        .map(|message| format!(": {message}"))
        .unwrap_or_default()
}

impl StageError {
    /// Whether the command line is at fault.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        match self {
            StageError::NoEndpoint(_) => true,
            StageError::NotRegistered { .. } => false,
        }
    }
}

impl Stage {
    /// Registers `nodes` nodes and lets them beat.
    ///
    /// # Errors
    /// When that is not done within a minute and two milliseconds for each, or `shutdown` comes first.
    pub async fn set(
        load: &LoadArgs,
        nodes: usize,
        seed: u64,
        shutdown: &Shutdown,
    ) -> Result<Self, StageError> {
        let recorder = Arc::new(Recorder::new("bench"));
        let connections = Connections::new(&load.coordinator.endpoints, load.coordinator.connections)?;
        let coordinator = Arc::new(Coordinator::new(
            connections,
            load.coordinator.timeout,
            Arc::clone(&recorder),
        ));
        let fleet = Arc::new(Fleet::new(load.layout(nodes, seed).profiles(), Instant::now()));
        let plan = LifePlan {
            heartbeat: HEARTBEAT,
            copy_rate: None,
            absences: Vec::new(),
            begin: CancellationToken::new(),
            streams: load.coordinator.streams,
        };
        let counters = Arc::new(Counters::default());
        let losses = Arc::new(Losses::default());
        let scheduler = Scheduler::new(
            Arc::clone(&fleet),
            Arc::clone(&coordinator),
            counters,
            losses,
            plan,
        );
        let settled = scheduler.settled();
        let stop = CancellationToken::new();
        let phase = Arc::new(Mutex::new("registering nodes"));
        let display = progress::show(stop.clone(), progress_lines(&phase, &recorder));
        let background = vec![
            tokio::spawn(scheduler.run(stop.clone())),
            tokio::spawn(async move {
                display.await;
                Ok(())
            }),
        ];
        let stage = Stage {
            coordinator,
            fleet,
            phase,
            stop,
            background: Mutex::new(background),
        };
        tokio::select! {
            () = settled.cancelled() => {}
            () = shutdown.finish.cancelled() => {}
            () = tokio::time::sleep(register_within(nodes)) => {}
        }
        let census = stage.fleet.census();
        if census.active == census.total {
            return Ok(stage);
        }
        stage.stop.cancel();
        let last = recorder.errors().pop().map(|line| line.last_message);
        Err(StageError::NotRegistered {
            missing: census.total - census.active,
            nodes: census.total,
            last,
        })
    }

    /// Names what the bench is at, for the progress display.
    pub fn enter(&self, phase: &'static str) {
        *self.phase.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }

    /// Ends what goes on in the background.
    ///
    /// # Errors
    /// When a part of it panicked.
    pub async fn clear(&self) -> Result<(), JoinError> {
        self.stop.cancel();
        let background = std::mem::take(&mut *self.background.lock().unwrap_or_else(PoisonError::into_inner));
        for task in background {
            task.await??;
        }
        Ok(())
    }
}

fn register_within(nodes: usize) -> Duration {
    REGISTER_WITHIN + REGISTER_EACH.saturating_mul(u32::try_from(nodes).unwrap_or(u32::MAX))
}

fn progress_lines(
    phase: &Arc<Mutex<&'static str>>,
    recorder: &Arc<Recorder>,
) -> impl FnMut(Duration) -> Vec<Line> + Send + use<> {
    let (phase, recorder) = (Arc::clone(phase), Arc::clone(recorder));
    let mut speeds = [Speed::default(); Operation::ALL.len()];
    move |elapsed| {
        let phase = *phase.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = vec![Line {
            label: "bench",
            text: phase.to_owned(),
        }];
        for (operation, speed) in Operation::ALL.into_iter().zip(&mut speeds) {
            let count = recorder.latency(operation).count;
            let per_second = speed.per_second(count, elapsed);
            if count > 0 {
                let text = format!("{count}, {per_second:.1}/s");
                lines.push(Line {
                    label: operation.name(),
                    text,
                });
            }
        }
        lines.push(Line {
            label: "errors",
            text: recorder.error_count().to_string(),
        });
        lines
    }
}
