//! A command with what travels beside it.

use serde::{Deserialize, Serialize};

use crate::command::Command;
use crate::id::RequestId;
use crate::row::Fingerprint;
use crate::units::{Millis, Timestamp};
use crate::view::ReadSet;

/// A command on its way to be ordered, before it has a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// The proposal's own id.
    pub id: RequestId,
    /// What makes a retry harmless, if the client sent a key.
    pub idempotency: Option<Idempotency>,
    /// What to do.
    pub command: Command,
}

/// The key by which a client may repeat a request without repeating its effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Idempotency {
    /// The client's key.
    pub key: String,
    /// What the client asked for.
    pub fingerprint: Fingerprint,
    /// How long the answer is remembered.
    pub keep_for: Millis,
}

/// A command as it stands in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// When the leader proposed it, by the leader's clock. Deciding uses [`crate::Context::now`] instead, which never
    /// runs backwards.
    pub proposed_at: Timestamp,
    /// What was proposed.
    pub proposal: Proposal,
}

impl Proposal {
    /// The rows that must be loaded to decide.
    pub fn reads(&self) -> ReadSet {
        let mut reads = self.command.reads();
        if let Some(idempotency) = &self.idempotency {
            reads.requests.push(idempotency.key.clone());
        }
        reads
    }
}
