//! The embedded engine: openraft orders commands, redb keeps the log and the rows.

mod disk;
mod engine;
mod error;
mod kv;
mod log;
mod machine;
mod network;
mod queue;
mod responder;
mod state;
mod types;
mod workers;

#[cfg(test)]
mod tests;

pub use disk::{DatabaseKind, Disk, Files, Memory};
pub use engine::{Clock, Options, RaftEngine, StartError, Timing};
pub use error::StoreError;
pub use machine::SnapshotView;
pub use network::{Alone, NoPeer};
pub use responder::Answering;
pub use types::{LogCommand, Outcome, Peer, Types};
pub use workers::{Tasks, Threads, Work, Workers};

/// The engine as it runs in production: on tokio, with its databases in files.
pub type DurableEngine = RaftEngine<openraft::TokioRuntime, Files>;
