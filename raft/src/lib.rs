//! The embedded engine: openraft orders commands, redb keeps the log and the rows.

mod disk;
mod error;
mod kv;
mod log;
mod state;
mod types;
mod workers;

pub use disk::{DatabaseKind, Disk, Files, Memory};
pub use error::StoreError;
pub use types::{LogCommand, Outcome, Peer, Types};
pub use workers::{Tasks, Threads, Work, Workers};
