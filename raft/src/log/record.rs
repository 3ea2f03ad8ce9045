//! The stored form of log entries, votes and memberships: our own, so that a new openraft never changes old files.

use std::collections::{BTreeMap, BTreeSet};

use openraft::impls::leader_id_std::LeaderId;
use openraft::type_config::AsyncRuntime;
use openraft::{EntryPayload, Membership};
use redb::TableDefinition;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Entry, LogId, Vote};
use crate::error::StoreError;
use crate::state::{LogIdRecord, MembershipRecord};
use crate::types::{LeaderTerm, LogCommand, Peer};

/// Entries by index.
pub(super) const ENTRIES: TableDefinition<'static, u64, &'static [u8]> = TableDefinition::new("entries");
/// Single values by name.
pub(super) const VALUES: TableDefinition<'static, &'static str, &'static [u8]> =
    TableDefinition::new("values");

/// The newest format of the log that this version reads and writes.
pub(super) const FORMAT: u32 = 3;

/// What stands before an entry's payload.
#[derive(Serialize, Deserialize)]
struct EntryHead {
    term: u64,
    kind: EntryKind,
}

#[derive(Serialize, Deserialize)]
enum EntryKind {
    Blank,
    Command,
    Membership,
}

/// A vote, as stored.
#[derive(Serialize, Deserialize)]
struct VoteRecord {
    term: u64,
    node: u64,
    committed: bool,
}

/// Encodes a single value.
pub(super) fn encode_value(value: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    bincode::serde::encode_to_vec(value, bincode::config::standard())
        .map_err(|error| StoreError::corrupt("log", error))
}

/// Decodes a single value.
pub(super) fn decode_value<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, StoreError> {
    match bincode::serde::decode_from_slice(bytes, bincode::config::standard()) {
        Ok((value, read)) if read == bytes.len() => Ok(value),
        Ok(_) => Err(StoreError::corrupt("log", "bytes follow a value")),
        Err(error) => Err(StoreError::corrupt("log", error)),
    }
}

/// Encodes an entry: a short head, then the command as its proposer encoded it.
pub(crate) fn encode_entry<R: AsyncRuntime>(entry: &Entry<R>) -> Result<Vec<u8>, StoreError> {
    let term = entry.log_id.leader_id.term;
    let head = |kind| encode_value(&EntryHead { term, kind });
    Ok(match &entry.payload {
        EntryPayload::Blank => head(EntryKind::Blank)?,
        EntryPayload::Normal(command) => {
            let mut bytes = head(EntryKind::Command)?;
            bytes.extend_from_slice(command.bytes());
            bytes
        }
        EntryPayload::Membership(membership) => {
            let mut bytes = head(EntryKind::Membership)?;
            bytes.extend(encode_membership(membership)?);
            bytes
        }
    })
}

/// Decodes an entry.
///
/// # Errors
/// [`StoreError::UnknownEntry`]: the entry is not skipped, since replicas that could read it would differ from then on.
pub(crate) fn decode_entry<R: AsyncRuntime>(index: u64, bytes: &[u8]) -> Result<Entry<R>, StoreError> {
    let unknown = |detail: String| StoreError::UnknownEntry { index, detail };
    let (head, read): (EntryHead, usize) =
        bincode::serde::decode_from_slice(bytes, bincode::config::standard())
            .map_err(|e| unknown(e.to_string()))?;
    let rest = &bytes[read..];
    let payload = match head.kind {
        EntryKind::Blank => EntryPayload::Blank,
        EntryKind::Command => {
            EntryPayload::Normal(LogCommand::decode(rest).map_err(|e| unknown(e.to_string()))?)
        }
        EntryKind::Membership => EntryPayload::Membership(decode_membership(rest)?),
    };
    let leader_id = LeaderTerm::new(head.term);
    Ok(Entry::<R> {
        log_id: openraft::LogId { leader_id, index },
        payload,
    })
}

/// A log id for storage.
pub(crate) fn log_id_to_record(log_id: &openraft::LogId<LeaderTerm>) -> LogIdRecord {
    LogIdRecord {
        term: log_id.leader_id.term,
        index: log_id.index,
    }
}

/// A log id from storage.
pub(crate) fn log_id_from_record<R: AsyncRuntime>(record: LogIdRecord) -> LogId<R> {
    let LogIdRecord { term, index } = record;
    openraft::LogId {
        leader_id: LeaderTerm::new(term),
        index,
    }
}

/// A membership for storage.
pub(crate) fn membership_to_record(membership: &Membership<u64, Peer>) -> MembershipRecord {
    MembershipRecord {
        voters: membership
            .get_joint_config()
            .iter()
            .map(|set| set.iter().copied().collect())
            .collect(),
        members: membership
            .nodes()
            .map(|(id, peer)| {
                let Peer {
                    name,
                    address,
                    client_address,
                } = peer.clone();
                (*id, name, address, client_address)
            })
            .collect(),
    }
}

/// A membership from storage.
pub(crate) fn membership_from_record(record: &MembershipRecord) -> Result<Membership<u64, Peer>, StoreError> {
    let voters: Vec<BTreeSet<u64>> = record
        .voters
        .iter()
        .map(|set| set.iter().copied().collect())
        .collect();
    let members: BTreeMap<u64, Peer> = record
        .members
        .iter()
        .map(|(id, name, address, client_address)| {
            (
                *id,
                Peer {
                    name: name.clone(),
                    address: address.clone(),
                    client_address: client_address.clone(),
                },
            )
        })
        .collect();
    if voters.is_empty() && members.is_empty() {
        return Ok(Membership::default());
    }
    Membership::new(voters, members).map_err(|error| StoreError::corrupt("membership", error))
}

/// Encodes a membership.
pub(crate) fn encode_membership(membership: &Membership<u64, Peer>) -> Result<Vec<u8>, StoreError> {
    encode_value(&membership_to_record(membership))
}

/// Decodes a membership.
pub(crate) fn decode_membership(bytes: &[u8]) -> Result<Membership<u64, Peer>, StoreError> {
    membership_from_record(&decode_value(bytes)?)
}

/// Encodes a vote.
pub(super) fn encode_vote<R: AsyncRuntime>(vote: &Vote<R>) -> Result<Vec<u8>, StoreError> {
    encode_value(&VoteRecord {
        term: vote.leader_id.term,
        node: vote.leader_id.voted_for,
        committed: vote.committed,
    })
}

/// Decodes a vote.
pub(super) fn decode_vote<R: AsyncRuntime>(bytes: &[u8]) -> Result<Vote<R>, StoreError> {
    let VoteRecord {
        term,
        node,
        committed,
    } = decode_value(bytes)?;
    Ok(openraft::Vote {
        leader_id: LeaderId {
            term,
            voted_for: node,
        },
        committed,
    })
}
