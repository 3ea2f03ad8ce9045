//! Parts that no sender makes, for tests of the receiver.

use super::part::{DIGEST_LEN, Digest, Kind, Part, SnapshotId};
use super::rows::seal_end;

/// Parts whose digests are as they should be, whatever is in them.
pub(crate) struct Parts {
    parts: Vec<Part>,
    digest: Digest,
    rows: u64,
}

impl Parts {
    pub(crate) fn new(id: &SnapshotId) -> Self {
        Self {
            parts: Vec::new(),
            digest: id.digest(),
            rows: 0,
        }
    }

    pub(crate) fn rows(&mut self, table: u8, rows: &[(&[u8], &[u8])]) {
        let mut content = vec![table];
        for (key, value) in rows {
            for field in [key, value] {
                content.extend_from_slice(&u32::try_from(field.len()).unwrap().to_le_bytes());
                content.extend_from_slice(field);
            }
        }
        self.rows += rows.len() as u64;
        self.content(&content);
    }

    pub(crate) fn content(&mut self, content: &[u8]) {
        let mut bytes = [[0; DIGEST_LEN].as_slice(), content].concat();
        self.digest = self.digest.seal(Kind::Rows, &mut bytes);
        self.parts.push(Part::Rows(bytes));
    }

    /// The parts, and an end that claims so many rows more than there are.
    pub(crate) fn end(mut self, more: u64) -> Vec<Part> {
        self.parts.push(seal_end(self.rows + more, self.digest));
        self.parts
    }
}
