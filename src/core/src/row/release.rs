//! Unfinished work after a large file was deleted or replaced.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::FileId;
use crate::row::FileChunk;

/// The chunks that a file no longer holds and that are still to be released, page by page, since no command may touch
/// more than a bounded number of rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseRow {
    /// The file that held them. If it holds one of them again by now, that one is left alone.
    pub file: FileId,
    /// The chunks, all of them as they were when the work was left.
    pub chunks: Arc<[FileChunk]>,
    /// How many of them are done.
    pub done: u32,
}

impl ReleaseRow {
    /// The next so many chunks to release.
    pub fn next_page(&self, limit: usize) -> &[FileChunk] {
        let from = (self.done as usize).min(self.chunks.len());
        let to = from.saturating_add(limit).min(self.chunks.len());
        &self.chunks[from..to]
    }
}
