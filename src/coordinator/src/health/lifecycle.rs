//! Where the process stands between start and end, told by the composition root.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A stage in the life of the process. It only ever moves on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Opening data, binding ports.
    Starting,
    /// Taking requests.
    Serving,
    /// Finishing requests; no new ones should come.
    Stopping,
}

impl Phase {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Serving => "serving",
            Self::Stopping => "stopping",
        }
    }
}

/// Where the process stands: its phase, and which of its listeners take connections. Clones share one state.
#[derive(Debug, Clone)]
pub struct Lifecycle(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    phase: Phase,
    listeners: BTreeMap<&'static str, bool>,
}

impl Lifecycle {
    /// A process that starts and is going to have these listeners.
    pub fn starting(listeners: &[&'static str]) -> Self {
        Self(Arc::new(Mutex::new(State {
            phase: Phase::Starting,
            listeners: listeners.iter().map(|name| (*name, false)).collect(),
        })))
    }

    /// Moves on to a phase; back is ignored.
    pub fn enter(&self, phase: Phase) {
        let mut state = self.state();
        state.phase = state.phase.max(phase);
    }

    /// The phase.
    pub fn phase(&self) -> Phase {
        self.state().phase
    }

    /// Says that a listener takes connections, until what is returned is dropped. Held by the task that
    /// serves it, so that a listener whose task ended is known to be down.
    #[must_use = "the listener counts as down once this is dropped"]
    pub fn listener_up(&self, name: &'static str) -> ListenerUp {
        self.state().listeners.insert(name, true);
        ListenerUp {
            lifecycle: self.clone(),
            name,
        }
    }

    /// The listeners that take no connections.
    pub(super) fn listeners_down(&self) -> Vec<&'static str> {
        let state = self.state();
        let down = state.listeners.iter().filter(|(_, is_up)| !**is_up);
        down.map(|(name, _)| *name).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can leave the state half changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A listener takes connections for as long as this is kept.
#[derive(Debug)]
pub struct ListenerUp {
    lifecycle: Lifecycle,
    name: &'static str,
}

impl Drop for ListenerUp {
    fn drop(&mut self) {
        self.lifecycle.state().listeners.insert(self.name, false);
    }
}

#[cfg(test)]
mod tests {
    use super::{Lifecycle, Phase};

    #[test]
    fn phases_only_move_on() {
        let lifecycle = Lifecycle::starting(&[]);
        assert_eq!(lifecycle.phase(), Phase::Starting);
        lifecycle.enter(Phase::Stopping);
        lifecycle.enter(Phase::Serving);
        assert_eq!(lifecycle.phase(), Phase::Stopping);
    }

    #[test]
    fn a_listener_is_down_before_and_after_its_task() {
        let lifecycle = Lifecycle::starting(&["grpc", "rest"]);
        assert_eq!(lifecycle.listeners_down(), ["grpc", "rest"]);
        let up = lifecycle.listener_up("rest");
        assert_eq!(lifecycle.listeners_down(), ["grpc"]);
        drop(up);
        assert_eq!(lifecycle.listeners_down(), ["grpc", "rest"]);
    }
}
