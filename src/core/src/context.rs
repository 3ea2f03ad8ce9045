//! What a decision may know besides rows.

use crate::units::{AppliedIndex, Timestamp};

/// What a decision may know besides rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// Where in the common order the command stands.
    pub index: AppliedIndex,
    /// The time: the leader's, but never earlier than that of any command before, whether that was refused or not.
    pub now: Timestamp,
}

impl Context {
    /// The context of the command after one that was decided at `last`. An engine keeps the time of the last command
    /// with its state, and moves it on after a refused command too: whoever replays the log must see the same times.
    pub fn following(last: Timestamp, index: AppliedIndex, proposed_at: Timestamp) -> Self {
        Self {
            index,
            now: proposed_at.max(last),
        }
    }
}
