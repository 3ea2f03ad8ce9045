//! Ordered bytes in tables: a memory overlay over redb, so that applying a command never waits for a disk.
//!
//! Writes go to the *active* layer. From time to time it is frozen, a worker writes the frozen layer to redb in one
//! durable commit, sorted, and a new active layer takes over meanwhile. Reads look at the active layer, then the frozen
//! one, then redb. What a crash takes from memory is replayed from the Raft log, which is kept until the durable commit
//! covers it. Nothing here knows what the bytes mean.

mod absent;
mod base;
mod bulk;
mod layer;
mod layered;

pub(crate) use base::{Base, Pair, Retirement};
pub(crate) use bulk::Bulk;
pub(crate) use layer::{Layer, Table};
pub(crate) use layered::{Layered, Stamp};
