//! The state machine: applies committed entries to the rows, and gives out and takes in snapshots.
//!
//! Applying touches memory only. A worker writes what was applied to disk, in one durable commit at a time, together
//! with the applied index and the membership: after a crash the state is exactly its last durable commit, and the log
//! replays the rest.

mod apply;
mod below;
mod decision;
mod events;
mod job;
mod open;
mod progress;
mod snapshot;
mod store;
mod worker;

pub(crate) use apply::Machine;
#[cfg(test)]
pub(crate) use below::NoLog;
pub(crate) use decision::{decided, write_decided};
pub(crate) use open::open_state;
pub use snapshot::SnapshotView;
#[cfg(test)]
pub(crate) use snapshot::{Incoming, forge};
pub(crate) use snapshot::{Part, Position, ReceiveError, SnapshotId};
pub(crate) use store::{StateStore, WatchError};
