//! What is in parts: rows into bytes and back.

use super::error::ReceiveError;
use super::part::{DIGEST_LEN, Digest, Kind, PART_BYTES, Part, Position, unsound};
use crate::kv::Table;

/// Bytes of the lengths of a key and of a value.
const LENGTHS: usize = 8;

/// Rows on their way into a part.
pub(super) struct RowsWriter {
    table: Table,
    bytes: Vec<u8>,
    last_key: Option<std::ops::Range<usize>>,
}

impl RowsWriter {
    /// No rows yet.
    pub(super) fn new(table: Table) -> Self {
        let mut bytes = vec![0; DIGEST_LEN];
        bytes.push(table as u8);
        Self {
            table,
            bytes,
            last_key: None,
        }
    }

    /// Adds a row, unless the part is full.
    pub(super) fn push(&mut self, key: &[u8], value: &[u8]) -> bool {
        if self.last_key.is_some() && self.bytes.len() + LENGTHS + key.len() + value.len() > PART_BYTES {
            return false;
        }
        self.put(key);
        self.last_key = Some(self.bytes.len() - key.len()..self.bytes.len());
        self.put(value);
        true
    }

    /// The part, which follows on what `before` is the digest of, and where it ends; `None` if there are no rows.
    pub(super) fn seal(mut self, before: Digest) -> Option<(Part, Position)> {
        let key = self.bytes[self.last_key?].to_vec();
        let digest = before.seal(Kind::Rows, &mut self.bytes);
        let position = Position {
            table: self.table,
            key,
            digest,
        };
        Some((Part::Rows(self.bytes), position))
    }

    fn put(&mut self, field: &[u8]) {
        // redb takes no field of 4 GiB.
        let len = u32::try_from(field.len()).unwrap_or(u32::MAX);
        self.bytes.extend_from_slice(&len.to_le_bytes());
        self.bytes.extend_from_slice(field);
    }
}

/// The rows of a part, their keys ascending.
pub(super) struct Rows<'a> {
    pub(super) rows: Vec<(&'a [u8], &'a [u8])>,
    /// Where they end.
    pub(super) last: Position,
}

impl<'a> Rows<'a> {
    /// Reads a part that follows on a place, or on the beginning, which `id` is the digest of.
    pub(super) fn read(bytes: &'a [u8], id: Digest, before: Option<&Position>) -> Result<Self, ReceiveError> {
        let (digest, content) = before
            .map_or(id, |before| before.digest)
            .open(Kind::Rows, bytes)?;
        let (&number, mut rest) = content
            .split_first()
            .ok_or_else(|| unsound("a part of it says no table"))?;
        let table = Table::from_number(number).ok_or_else(|| {
            unsound(format!(
                "it has a table {number}, which this version does not know"
            ))
        })?;
        let mut last = match before {
            Some(before) if before.table as u8 > table as u8 => {
                return Err(unsound(format!("table {} comes too late", table.name())));
            }
            Some(before) if before.table == table => Some(before.key.as_slice()),
            _ => None,
        };
        let mut rows = Vec::new();
        while !rest.is_empty() {
            let key = field(&mut rest)?;
            let value = field(&mut rest)?;
            if last.is_some_and(|last| last >= key) {
                return Err(unsound(format!(
                    "rows of table {} are out of order",
                    table.name()
                )));
            }
            last = Some(key);
            rows.push((key, value));
        }
        let last = rows.last().ok_or_else(|| unsound("a part of it has no rows"))?;
        let last = Position {
            table,
            key: last.0.to_vec(),
            digest,
        };
        Ok(Self { rows, last })
    }
}

fn field<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], ReceiveError> {
    let cut_off = || unsound("a row of it is cut off");
    let (&len, after) = rest.split_first_chunk().ok_or_else(cut_off)?;
    let len = usize::try_from(u32::from_le_bytes(len)).map_err(|_| cut_off())?;
    let (field, after) = after.split_at_checked(len).ok_or_else(cut_off)?;
    *rest = after;
    Ok(field)
}

/// The end of a snapshot of so many rows.
pub(super) fn seal_end(rows: u64, before: Digest) -> Part {
    let mut bytes = vec![0; DIGEST_LEN];
    bytes.extend_from_slice(&rows.to_le_bytes());
    before.seal(Kind::End, &mut bytes);
    Part::End(bytes)
}

/// How many rows the end says that there are.
pub(super) fn read_end(bytes: &[u8], before: Digest) -> Result<u64, ReceiveError> {
    let (_, content) = before.open(Kind::End, bytes)?;
    let rows = content.try_into().map_err(|_| unsound("its end is cut off"))?;
    Ok(u64::from_le_bytes(rows))
}
