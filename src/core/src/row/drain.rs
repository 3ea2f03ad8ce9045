//! A drain: how much there was to move when it began, and what is to follow.

use serde::{Deserialize, Serialize};

use super::Usage;
use crate::units::{ByteSize, Timestamp};

/// What draining a node has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drain {
    /// When it began.
    pub since: Timestamp,
    /// Copies that the node had then, of chunks that files hold.
    pub copies: u64,
    /// Their bytes.
    pub bytes: ByteSize,
    /// What becomes of the node when it is done.
    pub then: AfterDrain,
    /// When the node had no such copy left; from then on it takes none, not even one that a client brings.
    pub done_at: Option<Timestamp>,
}

impl Drain {
    /// One that begins.
    pub const fn beginning(since: Timestamp, usage: Usage, then: AfterDrain) -> Self {
        Self {
            since,
            copies: usage.copies,
            bytes: usage.bytes,
            then,
            done_at: None,
        }
    }
}

/// What becomes of a node once it is drained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AfterDrain {
    /// It stays registered, empty, until it is activated or unregistered.
    Stay,
    /// It is unregistered.
    Remove,
}
