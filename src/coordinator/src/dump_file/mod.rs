//! Every row of one state in one file: what a backup and an export are, whatever engine kept the rows, and what an import reads.
//!
//! The format, all numbers little-endian: the 8 bytes `ZFSDUMP` and NUL, and a u32 format version; then each row as a u32
//! length and so many bytes, kind by kind; then a u32 zero, a u64 number of rows, a u64 applied index, and the blake3 hash of
//! every byte before it, as 64 hex digits. Nothing is ever written twice, so a dump fits through a pipe. Rows are encoded by
//! [`zephyrfs_core::Dumper`].

mod file;
mod reader;
mod writer;

use std::io;

pub use file::NamedDump;
pub use reader::{DumpReader, Next, ReadError};
pub use writer::DumpWriter;

use zephyrfs_core::DumpDigest;
use zephyrfs_core::units::AppliedIndex;

const MAGIC: [u8; 8] = *b"ZFSDUMP\0";

/// Grows whenever rows or the file are laid out otherwise.
const FORMAT_VERSION: u32 = 2;

/// What a whole dump holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// How many rows.
    pub rows: u64,
    /// The state that they are of.
    pub index: AppliedIndex,
    /// The digest of the rows: equal for equal states, whatever engine keeps them.
    pub digest: DumpDigest,
    /// The length of the dump.
    pub bytes: u64,
}

/// Why a dump was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The file, the disk or the pipe.
    #[error("cannot write {name}: {source}")]
    Io {
        /// Where to.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// What is there may be the only copy of something.
    #[error("{name} is there already, and is not written over; name another file")]
    Exists {
        /// The file.
        name: String,
    },
    /// Another dump of that name was begun.
    #[error(
        "{name} is being written by somebody else, or was left by one who was cut off; delete it if nobody is, or name another file"
    )]
    Unfinished {
        /// What it is called until it is complete.
        name: String,
    },
    /// It is complete, and its name may be lost with the power.
    #[error("{name} is complete, but its directory cannot be made durable: {source}")]
    NotDurable {
        /// The dump.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// A row: a defect.
    #[error("a row cannot be encoded: {0}")]
    Row(String),
}
