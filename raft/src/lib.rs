//! The embedded engine: openraft orders commands, redb keeps the log and the rows.

mod disk;
mod engine;
mod error;
mod exchange;
mod grpc;
mod kv;
mod log;
mod machine;
mod peers;
mod queue;
mod recent;
mod responder;
mod state;
mod types;
mod workers;

#[cfg(test)]
mod tests;

pub use disk::{DatabaseKind, Disk, Files, Memory};
pub use engine::{Clock, Formation, Options, RaftEngine, StartError, Timing};
pub use error::StoreError;
pub use exchange::{Imported, Importer, StoppedReplica};
pub use grpc::{Grpc, serve_peers};
pub use log::Recovered;
pub use machine::SnapshotView;
pub use peers::{Alone, Lane, PeerError, PeerService, Replies, Requests, Transport};
pub use recent::Decision;
pub use responder::Answering;
pub use types::{LogCommand, Outcome, Peer, Types};
pub use workers::{Tasks, Threads, Work, Workers};

/// The engine as it runs in production: on tokio, with its databases in files.
pub type DurableEngine = RaftEngine<openraft::TokioRuntime, Files>;

/// Makes a cluster of one out of the data of a replica that is not running, when its cluster lost its quorum for good:
/// everything in its log counts as committed, and the cluster has a new id. Nothing is changed unless `really`.
///
/// # Errors
/// Why that cannot be done; nothing is changed then.
pub fn recover_files(disk: &Files, peer: &Peer, really: bool) -> Result<Recovered, StoreError> {
    log::recover::<openraft::TokioRuntime, _>(disk, peer, really)
}
