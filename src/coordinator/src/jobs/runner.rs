//! Runs each job at its interval while this replica leads.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use zephyrfs_core::Engine;
use zephyrfs_core::engine::EngineError;

use crate::service::ServiceError;

/// How often is looked whether this replica still leads while a job runs.
const LOOK: Duration = Duration::from_millis(100);

/// What kept a job from finishing.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The service.
    #[error(transparent)]
    Service(#[from] ServiceError),
}

/// A job of the leader.
#[async_trait]
pub trait Job: Send + 'static {
    /// Its name, for logs.
    fn name(&self) -> &'static str;

    /// How often it runs.
    fn interval(&self) -> Duration;

    /// Runs once. `led_for` is how long this replica has led without a break.
    ///
    /// # Errors
    /// What kept it from finishing; it is tried again at the next interval.
    async fn run(&mut self, led_for: Duration) -> Result<(), JobError>;
}

/// The jobs of a process.
pub struct Jobs {
    engine: Arc<dyn Engine>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Jobs {
    /// No jobs yet; those that are started end when `stop` is cancelled.
    pub fn new(engine: Arc<dyn Engine>, stop: CancellationToken) -> Self {
        Self {
            engine,
            stop,
            tasks: TaskTracker::new(),
        }
    }

    /// Starts a job.
    pub fn start(&self, job: impl Job) {
        let engine = Arc::clone(&self.engine);
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            stop.run_until_cancelled(run_while_leading(engine, job)).await;
        });
    }

    /// Waits until every job has ended, after `stop` was cancelled.
    pub async fn ended(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

async fn run_while_leading(engine: Arc<dyn Engine>, mut job: impl Job) {
    let mut ticks = tokio::time::interval(job.interval());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut leading: Option<(u64, Instant)> = None;
    loop {
        ticks.tick().await;
        let status = engine.status();
        if !status.leads {
            leading = None;
            continue;
        }
        let since = match leading {
            Some((term, since)) if term == status.term => since,
            _ => Instant::now(),
        };
        leading = Some((status.term, since));
        let result = tokio::select! {
            result = job.run(since.elapsed()) => result,
            // What it has proposed may still be decided; it proposes nothing more of what it found as a leader.
            () = until_deposed(&*engine, status.term) => continue,
        };
        if let Err(error) = result {
            tracing::warn!(job = job.name(), %error, "A job did not finish; it will be tried again");
        }
    }
}

/// Waits until this replica does not lead in that term any more.
async fn until_deposed(engine: &dyn Engine, term: u64) {
    let mut looks = tokio::time::interval(LOOK);
    loop {
        looks.tick().await;
        let status = engine.status();
        if !status.leads || status.term != term {
            return;
        }
    }
}
