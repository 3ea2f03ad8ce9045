//! The checks: each looks at one thing in memory, and a report is a choice of them.

use std::sync::{Arc, OnceLock};

use zephyrfs_core::Engine;
use zephyrfs_core::engine::EngineStatus;

use super::lifecycle::{Lifecycle, Phase};
use super::pulse::Pulse;
use super::report::{Check, Report};

/// Everything that reports are made of. Clones share it.
#[derive(Clone)]
pub struct HealthChecks {
    lifecycle: Lifecycle,
    pulse: Pulse,
    /// Set once the data is open; the health port answers before that.
    engine: Arc<OnceLock<Arc<dyn Engine>>>,
}

impl HealthChecks {
    /// Checks of a process that has no engine yet.
    pub fn new(lifecycle: Lifecycle, pulse: Pulse) -> Self {
        Self {
            lifecycle,
            pulse,
            engine: Arc::new(OnceLock::new()),
        }
    }

    /// From now on, looks at this engine too. A second call changes nothing.
    pub fn observe(&self, engine: Arc<dyn Engine>) {
        self.engine.get_or_init(|| engine);
    }

    /// Whether this process works. It does not depend on other replicas, a leader, or load: what a restart
    /// would not mend is left out.
    pub fn live(&self) -> Report {
        Report::of([
            ("event_loop", self.event_loop()),
            ("engine", engine_works(self.engine_status().as_ref())),
        ])
    }

    /// Whether clients should be sent here.
    pub fn ready(&self) -> Report {
        Report::of([
            ("lifecycle", self.lifecycle_check()),
            ("listeners", self.listeners()),
            ("consensus", in_consensus(self.engine_status().as_ref())),
        ])
    }

    /// Everything there is to check.
    pub fn all(&self) -> Report {
        let engine = self.engine_status();
        Report::of([
            ("event_loop", self.event_loop()),
            ("engine", engine_works(engine.as_ref())),
            ("lifecycle", self.lifecycle_check()),
            ("listeners", self.listeners()),
            ("consensus", in_consensus(engine.as_ref())),
        ])
    }

    fn engine_status(&self) -> Option<EngineStatus> {
        self.engine.get().map(|engine| engine.status())
    }

    fn event_loop(&self) -> Check {
        let age = self.pulse.age();
        if Pulse::is_stuck(age) {
            Check::unhealthy(format!("no task has run for {} s", age.as_secs()))
        } else {
            Check::healthy("tasks run")
        }
    }

    fn lifecycle_check(&self) -> Check {
        let phase = self.lifecycle.phase();
        match phase {
            Phase::Serving => Check::healthy(phase.as_str()),
            Phase::Starting | Phase::Stopping => Check::unhealthy(phase.as_str()),
        }
    }

    fn listeners(&self) -> Check {
        let down = self.lifecycle.listeners_down();
        if down.is_empty() {
            Check::healthy("all take connections")
        } else {
            Check::unhealthy(format!("no connections are taken by: {}", down.join(", ")))
        }
    }
}

/// Whether the engine can go on. One that is still being opened can.
fn engine_works(status: Option<&EngineStatus>) -> Check {
    match status {
        None => Check::healthy("the data is being opened"),
        Some(EngineStatus {
            failed: Some(reason), ..
        }) => Check::unhealthy(reason),
        Some(EngineStatus { engine, applied, .. }) => {
            Check::healthy(format!("{engine} has applied index {applied}"))
        }
    }
}

/// Whether the engine orders commands and answers reads.
fn in_consensus(status: Option<&EngineStatus>) -> Check {
    match status {
        None => Check::unhealthy("the data is being opened"),
        Some(EngineStatus {
            not_ready: Some(reason),
            ..
        }) => Check::unhealthy(reason),
        Some(EngineStatus { leader, term, .. }) => {
            let leader = leader.as_deref().unwrap_or("nobody");
            Check::healthy(format!("{leader} leads in term {term}"))
        }
    }
}
