//! The types that openraft is told to use, and the little that it must know of a command.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use openraft::impls::leader_id_std::LeaderId;
use openraft::impls::{BoxedErrorSource, Entry, EntryPayload, InlineBatch, Vote};
use openraft::type_config::AsyncRuntime;
use openraft::vote::RaftLeaderId;
use openraft::{OptionalSend, RaftTypeConfig};
use zephyrfs_core::units::Timestamp;
use zephyrfs_core::{Envelope, Proposal};

use crate::recent::Decision;
use crate::responder::Answering;

/// The term of an established leader, which stands for that leader.
pub(crate) type LeaderTerm = <LeaderId<u64, u64> as RaftLeaderId>::Committed;

/// openraft's type configuration. The runtime is a parameter, so that a deterministic simulator runs the same code.
pub struct Types<R>(PhantomData<fn() -> R>);

impl<R: AsyncRuntime> RaftTypeConfig for Types<R> {
    type D = LogCommand;
    type R = Outcome;
    type NodeId = u64;
    type Node = Peer;
    type Term = u64;
    // One leader in a term at most, as in the Raft paper.
    type LeaderId = LeaderId<u64, u64>;
    type Vote = Vote<Self::LeaderId>;
    type Payload = EntryPayload<Self::D, Self::NodeId, Self::Node>;
    type Entry = Entry<<Self::LeaderId as RaftLeaderId>::Committed, Self::Payload>;
    type AsyncRuntime = R;
    type Responder<T>
        = Answering<R, T>
    where
        T: OptionalSend + 'static;
    type Batch<T>
        = InlineBatch<T>
    where
        T: OptionalSend + 'static;
    type ErrorSource = BoxedErrorSource;
}

// openraft asks these of a type that never has a value; deriving them would ask them of the runtime too.
impl<R> fmt::Debug for Types<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Types")
    }
}
impl<R> Clone for Types<R> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<R> Copy for Types<R> {}
impl<R> Default for Types<R> {
    fn default() -> Self {
        Self(PhantomData)
    }
}
impl<R> PartialEq for Types<R> {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
impl<R> Eq for Types<R> {}
impl<R> PartialOrd for Types<R> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<R> Ord for Types<R> {
    fn cmp(&self, _: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}

/// A replica as the membership knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peer {
    /// Its stable name.
    pub name: String,
    /// Where its peers reach it, `host:port`.
    pub address: String,
    /// Where clients reach its gRPC API, `host:port`.
    pub client_address: String,
}

/// A command in the log, with its encoded form: it is encoded once, by whoever proposes it, and written and sent as it is.
#[derive(Clone)]
pub struct LogCommand {
    envelope: Arc<Envelope>,
    bytes: Arc<[u8]>,
}

impl LogCommand {
    /// Encodes a command.
    ///
    /// # Errors
    /// If it cannot be encoded.
    pub fn new(envelope: Envelope) -> Result<Self, bincode::error::EncodeError> {
        let Envelope {
            proposed_at,
            proposal,
        } = envelope;
        let encoded = Self::encode_proposal(&proposal)?;
        Self::stamped(proposed_at, proposal, &encoded)
    }

    /// A proposal as it travels to the leader, who stamps it.
    ///
    /// # Errors
    /// If it cannot be encoded.
    pub fn encode_proposal(proposal: &Proposal) -> Result<Vec<u8>, bincode::error::EncodeError> {
        bincode::serde::encode_to_vec(proposal, bincode::config::standard())
    }

    /// Reads a proposal that travelled to the leader.
    ///
    /// # Errors
    /// If the bytes are no proposal that this version knows.
    pub fn decode_proposal(bytes: &[u8]) -> Result<Proposal, bincode::error::DecodeError> {
        let (proposal, read) = bincode::serde::decode_from_slice(bytes, bincode::config::standard())?;
        all_read(bytes, read)?;
        Ok(proposal)
    }

    /// Stamps a proposal that is encoded already: an envelope is its time followed by the proposal.
    ///
    /// # Errors
    /// If the time cannot be encoded.
    pub fn stamped(
        proposed_at: Timestamp,
        proposal: Proposal,
        encoded: &[u8],
    ) -> Result<Self, bincode::error::EncodeError> {
        let mut bytes = bincode::serde::encode_to_vec(proposed_at, bincode::config::standard())?;
        bytes.reserve_exact(encoded.len());
        bytes.extend_from_slice(encoded);
        Ok(Self {
            envelope: Arc::new(Envelope {
                proposed_at,
                proposal,
            }),
            bytes: bytes.into(),
        })
    }

    /// Decodes a command.
    ///
    /// # Errors
    /// If the bytes are no command that this version knows.
    pub fn decode(bytes: &[u8]) -> Result<Self, bincode::error::DecodeError> {
        let (envelope, read) = bincode::serde::decode_from_slice(bytes, bincode::config::standard())?;
        all_read(bytes, read)?;
        Ok(Self {
            envelope: Arc::new(envelope),
            bytes: bytes.into(),
        })
    }

    /// The command.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// Its encoded form.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

fn all_read(bytes: &[u8], read: usize) -> Result<(), bincode::error::DecodeError> {
    if read == bytes.len() {
        return Ok(());
    }
    Err(bincode::error::DecodeError::OtherString(format!(
        "{} bytes follow the command",
        bytes.len() - read
    )))
}

// Commands carry clients' data: a log line shows what kind it is, and no more.
impl fmt::Debug for LogCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for LogCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({} bytes)",
            self.envelope.proposal.command.name(),
            self.bytes.len()
        )
    }
}

/// What applying an entry came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The entry carried no command.
    Nothing,
    /// A command was decided.
    Decided(Arc<Decision>),
}
