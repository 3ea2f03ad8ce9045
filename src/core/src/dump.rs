//! A dump: every row, kind by kind. Backups, exports and comparisons are made of it.
//!
//! Within a kind each engine has an order of its own, the one in which its rows lie; what is said of a whole dump does not depend
//! on it.

use crate::row::Row;
use crate::totals::Totals;

/// A digest of every row of a state, in whatever order they come: two replicas at the same applied index have the same, and so
/// have two engines with the same rows. It is the sum of the rows' own digests (Bellare and Micciancio, "A New Paradigm for
/// Collision-Free Hashing", 1997), which finds what goes wrong by itself, not what somebody sets out to hide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DumpDigest([u8; 32]);

impl std::fmt::Display for DumpDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A row from the form that [`Dumper::add`] gave it.
///
/// # Errors
/// If the bytes are no such row, or more than one.
pub fn decode_row(bytes: &[u8]) -> Result<Row, bincode::error::DecodeError> {
    match bincode::serde::decode_from_slice(bytes, bincode::config::standard())? {
        (row, read) if read == bytes.len() => Ok(row),
        _ => Err(bincode::error::DecodeError::Other("bytes follow the row")),
    }
}

/// Digests and counts rows as they pass.
#[derive(Debug, Default)]
pub struct Dumper {
    sum: [u64; 4],
    totals: Totals,
    rows: u64,
}

impl Dumper {
    /// Takes the next row and gives its encoded form.
    ///
    /// # Errors
    /// If the row cannot be encoded, which no row that was ever stored does.
    pub fn add(&mut self, row: &Row) -> Result<Vec<u8>, bincode::error::EncodeError> {
        let bytes = bincode::serde::encode_to_vec(row, bincode::config::standard())?;
        let digest = blake3::hash(&bytes);
        let (parts, _) = digest.as_bytes().as_chunks::<8>();
        for (sum, part) in self.sum.iter_mut().zip(parts) {
            *sum = sum.wrapping_add(u64::from_le_bytes(*part));
        }
        self.totals.count(row);
        self.rows += 1;
        Ok(bytes)
    }

    /// The digest of the rows so far.
    pub fn digest(&self) -> DumpDigest {
        let mut digest = [0; 32];
        for (part, sum) in digest.chunks_exact_mut(8).zip(self.sum) {
            part.copy_from_slice(&sum.to_le_bytes());
        }
        DumpDigest(digest)
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

#[cfg(test)]
mod tests {
    use super::{Dumper, decode_row};
    use crate::id::{ChunkId, FileId};
    use crate::row::Row;

    fn digest_of(rows: &[Row]) -> String {
        let mut dumper = Dumper::default();
        for row in rows {
            let bytes = dumper.add(row).unwrap();
            assert_eq!(decode_row(&bytes).unwrap(), *row);
            decode_row(&bytes[1..]).unwrap_err();
            decode_row(&[&bytes[..], b"x"].concat()).unwrap_err();
        }
        dumper.digest().to_string()
    }

    #[test]
    fn the_digest_is_of_the_rows_and_not_of_their_order() {
        let row = |index| Row::Sharer(ChunkId::from("c"), FileId::from("f"), index);
        let digest = digest_of(&[row(1), row(2)]);
        assert_eq!(digest, digest_of(&[row(2), row(1)]));
        for other in [&[row(1)][..], &[row(1), row(3)], &[row(1), row(2), row(2)], &[]] {
            assert_ne!(digest, digest_of(other));
        }
    }
}
