//! The rules of the coordinator: what may happen to nodes, files and chunks, and what follows from it.
//!
//! Everything here is pure, synchronous and deterministic: no clock, no randomness, no I/O, no async runtime, no map
//! whose order differs between two processes. Replicas apply the same commands and must end in the same state, byte
//! for byte, so a decision may depend on nothing but the command, the rows it asked for, and the context it is given.
//!
//! An engine (Raft over redb, PostgreSQL, or the in-memory [`model`]) loads what [`Command::reads`] names, calls
//! [`decide`], and writes the mutations it returns. The engine knows kinds of rows; it never knows commands.

pub mod command;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
pub mod engine;
pub mod envelope;
pub mod event;
pub mod id;
pub mod model;
pub mod placement;
pub mod repair;
pub mod row;
pub mod store;
pub mod units;
pub mod view;

mod context;
mod decide;
mod dump;
mod effects;
mod rejection;
mod response;
mod status;
#[cfg(test)]
mod testing;
mod totals;

pub use command::Command;
pub use context::Context;
pub use decide::decide;
pub use dump::{DumpDigest, Dumper, decode_row};
pub use effects::{Effects, Mutation};
pub use engine::Engine;
pub use envelope::{Envelope, Idempotency, Proposal};
pub use rejection::Rejection;
pub use response::{Placement, Response};
pub use row::{Usage, users};
pub use totals::Totals;
pub use view::{ReadSet, View};
