//! A dump: every row in one order that all engines share. Snapshots, backups and comparisons are made of it.

use blake3::Hasher;

use crate::row::Row;
use crate::totals::Totals;

/// A digest of every row of a state. Two replicas at the same applied index have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DumpDigest([u8; 32]);

impl std::fmt::Display for DumpDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Digests and counts rows as they pass.
#[derive(Debug, Default)]
pub struct Dumper {
    hasher: Hasher,
    totals: Totals,
    rows: u64,
}

impl Dumper {
    /// Takes the next row, in dump order, and gives its encoded form.
    ///
    /// # Errors
    /// If the row cannot be encoded, which no row that was ever stored does.
    pub fn add(&mut self, row: &Row) -> Result<Vec<u8>, bincode::error::EncodeError> {
        let bytes = bincode::serde::encode_to_vec(row, bincode::config::standard())?;
        self.hasher.update(&(bytes.len() as u64).to_le_bytes());
        self.hasher.update(&bytes);
        self.totals.count(row);
        self.rows += 1;
        Ok(bytes)
    }

    /// The digest of the rows so far.
    pub fn digest(&self) -> DumpDigest {
        DumpDigest(*self.hasher.finalize().as_bytes())
    }

    /// What the rows so far count up to.
    pub const fn totals(&self) -> &Totals {
        &self.totals
    }

    /// How many rows there were.
    pub const fn rows(&self) -> u64 {
        self.rows
    }
}
