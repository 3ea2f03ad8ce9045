//! What a state is stamped with: whose it is, and how far the log was applied to it.

use serde::{Deserialize, Serialize};
use zephyrfs_core::Totals;
use zephyrfs_core::units::Timestamp;

use super::{decode, encode};
use crate::error::StoreError;
use crate::kv::{Layer, Layered, Stamp, Table};

/// The newest format of the state that this version reads and writes.
pub(crate) const FORMAT: u32 = 3;

const FORMAT_KEY: &[u8] = b"format";
const HEADER_KEY: &[u8] = b"header";

/// Committed together with the rows that it describes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Header {
    /// The raft id of the replica that this state belongs to.
    pub(crate) raft_id: u64,
    /// The last applied log entry.
    pub(crate) applied: Option<LogIdRecord>,
    /// The last membership applied, and the entry that brought it.
    pub(crate) membership: Option<(Option<LogIdRecord>, MembershipRecord)>,
    /// The latest time that a command was decided at.
    pub(crate) last_time: Timestamp,
    /// Counts of the rows.
    pub(crate) totals: Totals,
    /// The handle of the next file or lone chunk.
    pub(crate) next_handle: u64,
}

/// The identity of a log entry, as stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LogIdRecord {
    pub(crate) term: u64,
    pub(crate) index: u64,
}

/// A membership, as stored: sets of voters (two of them in a joint one), and every member with its name, its address for
/// peers, and its address for clients.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MembershipRecord {
    pub(crate) voters: Vec<Vec<u64>>,
    pub(crate) members: Vec<(u64, String, String, String)>,
}

impl Header {
    /// Reads the header; the default one of an empty state.
    pub(crate) fn load(layered: &Layered, path: &str) -> Result<Self, StoreError> {
        let Some(format) = layered.get(Table::Meta, FORMAT_KEY)? else {
            return Ok(Self::default());
        };
        let found: u32 = decode(Table::Meta, &format)?;
        StoreError::check_format(path, found, FORMAT)?;
        let header = layered
            .get(Table::Meta, HEADER_KEY)?
            .ok_or_else(|| StoreError::corrupt(Table::Meta.name(), "the header is missing"))?;
        decode(Table::Meta, &header)
    }
}

impl Stamp for Header {
    fn stamp(&self, layer: &mut Layer) -> Result<(), StoreError> {
        layer.set(
            Table::Meta,
            FORMAT_KEY,
            Some(encode(Table::Meta, &FORMAT)?.into()),
        );
        layer.set(Table::Meta, HEADER_KEY, Some(encode(Table::Meta, self)?.into()));
        Ok(())
    }
}
