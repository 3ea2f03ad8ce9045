//! The form in which a snapshot travels.
//!
//! A part of rows is a digest of 32 bytes, the number of a table, and rows of it: length of the key, key, length of the
//! value, value. The end is a digest and the number of rows. Lengths are 4 bytes, the number of rows 8, little-endian. Each
//! digest is that of the digest before it, what kind of part it is, and what follows it in the part; the first one before is
//! that of the snapshot's id.

use super::error::ReceiveError;
use crate::kv::Table;
use crate::state::LogIdRecord;

/// A part holds about so many bytes of rows at most; a row that is larger makes a part of its own.
pub(super) const PART_BYTES: usize = 1 << 20;

/// A part that is larger is refused: no row comes near, and a message between replicas must hold it.
pub(super) const MAX_PART_BYTES: usize = 60 << 20;

pub(super) const DIGEST_LEN: usize = 32;

/// Rows, or what all rows come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// Rows of one table.
    Rows(Vec<u8>),
    /// Nothing follows.
    End(Vec<u8>),
}

/// Which snapshot: the same replica has one state at an index, in one form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SnapshotId {
    /// The raft id of the replica that sends it.
    pub(crate) sender: u64,
    /// The last entry that is applied in it.
    pub(crate) applied: Option<LogIdRecord>,
}

/// A place between two rows of a snapshot: after a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    pub(super) table: Table,
    pub(super) key: Vec<u8>,
    pub(super) digest: Digest,
}

/// The digest of everything up to a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Digest([u8; DIGEST_LEN]);

/// What a digest is of, beside the bytes: an end never passes for rows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Rows = 1,
    End = 2,
}

impl SnapshotId {
    /// The digest before the first part.
    pub(super) fn digest(&self) -> Digest {
        let Self { sender, applied } = self;
        let mut hasher = blake3::Hasher::new();
        hasher.update(&sender.to_le_bytes());
        if let Some(LogIdRecord { term, index }) = applied {
            [term, index].into_iter().for_each(|number| {
                hasher.update(&number.to_le_bytes());
            });
        }
        Digest(hasher.finalize().into())
    }
}

impl Position {
    /// In bytes, to tell a sender.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let Self { table, key, digest } = self;
        [digest.0.as_slice(), &[*table as u8], key].concat()
    }

    /// From bytes that [`Position::encode`] made.
    ///
    /// # Errors
    /// [`ReceiveError::Unsound`] if they are something else.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, ReceiveError> {
        let unsound = || unsound("it is to go on from a place that is none");
        let (&digest, rest) = bytes.split_first_chunk().ok_or_else(unsound)?;
        let (&table, key) = rest.split_first().ok_or_else(unsound)?;
        Ok(Self {
            table: Table::from_number(table).ok_or_else(unsound)?,
            key: key.to_vec(),
            digest: Digest(digest),
        })
    }
}

impl Digest {
    /// Puts the digest into a part whose bytes have room for it at their beginning.
    pub(super) fn seal(self, kind: Kind, bytes: &mut [u8]) -> Self {
        let Some((room, content)) = bytes.split_first_chunk_mut() else {
            return self;
        };
        let digest = self.after(kind, content);
        *room = digest.0;
        digest
    }

    /// What follows in a part on its digest, if that is the one that follows on this one.
    pub(super) fn open(self, kind: Kind, bytes: &[u8]) -> Result<(Self, &[u8]), ReceiveError> {
        if bytes.len() > MAX_PART_BYTES {
            return Err(unsound("a part of it is too large"));
        }
        let (&claimed, content) = bytes
            .split_first_chunk()
            .ok_or_else(|| unsound("a part of it is cut off"))?;
        let digest = self.after(kind, content);
        if digest != Self(claimed) {
            return Err(unsound(
                "a part of it is damaged, or does not follow on the one before",
            ));
        }
        Ok((digest, content))
    }

    fn after(self, kind: Kind, content: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.0).update(&[kind as u8]).update(content);
        Self(hasher.finalize().into())
    }
}

/// Something is wrong with what was sent.
pub(super) fn unsound(what: impl Into<String>) -> ReceiveError {
    ReceiveError::Unsound(what.into())
}
