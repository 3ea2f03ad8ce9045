//! Writing down operations while clients run them. One clock for all clients, so that "before" means something.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Effect, Place};

/// One operation of one client on one register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Which register.
    pub key: String,
    /// Who asked whom, for the reader of a failure.
    pub client: String,
    /// What it did or saw.
    pub effect: Effect,
    /// Where it took effect.
    pub place: Place,
    /// When the client began to ask, since the history began.
    pub called: Duration,
    /// When it had the answer, or gave up.
    pub returned: Duration,
}

impl Operation {
    /// Whether this had its answer before the other was asked.
    pub(super) fn is_before(&self, other: &Self) -> bool {
        self.effect.is_answered() && self.returned < other.called
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            key,
            client,
            effect,
            place,
            called,
            returned,
        } = self;
        write!(
            f,
            "{:>12.6} to {:>12.6} s  {key}  {client}  {effect:?}  {place:?}",
            called.as_secs_f64(),
            returned.as_secs_f64()
        )
    }
}

/// The time at which an operation was begun.
#[derive(Debug, Clone, Copy)]
pub struct Started(Duration);

/// The history so far; clones write into the same one.
#[derive(Debug, Clone)]
pub struct Recorder {
    began: Instant,
    operations: Arc<Mutex<Vec<Operation>>>,
}

impl Recorder {
    /// An empty history that begins now.
    pub fn begin() -> Self {
        Self {
            began: Instant::now(),
            operations: Arc::default(),
        }
    }

    /// To be called right before an operation is sent.
    pub fn start(&self) -> Started {
        Started(self.began.elapsed())
    }

    /// To be called right after its answer came, or the client gave up. What surely had no effect is not recorded: if it
    /// had one all the same, a read that sees it has no explanation.
    pub fn end(&self, key: &str, client: &str, started: Started, effect: Effect, place: Place) {
        let operation = Operation {
            key: key.to_owned(),
            client: client.to_owned(),
            effect,
            place,
            called: started.0,
            returned: self.began.elapsed(),
        };
        self.operations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(operation);
    }

    /// The operations so far.
    pub fn operations(&self) -> Vec<Operation> {
        self.operations
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}
