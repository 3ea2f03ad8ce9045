//! Snapshots: a view of the last durable state, made without copying; sending one in parts; and taking one in.
//!
//! Parts are rows in the order of tables and keys, each with a digest of all that came before, so that one that is damaged,
//! missing or out of place is refused when it arrives, and sending can go on after any part. Neither side holds more than a
//! few parts in memory. They are received into a database of their own, which takes the state's place in one step when it is
//! complete. How parts travel is the network's affair.

mod error;
#[cfg(test)]
pub(crate) mod forge;
mod inbox;
mod incoming;
mod intake;
mod part;
mod parts;
mod rows;
mod view;

pub(crate) use error::ReceiveError;
pub(crate) use inbox::Inbox;
pub(crate) use incoming::Incoming;
pub(crate) use part::{Part, Position, SnapshotId};
pub(crate) use view::SnapshotBuilder;
pub use view::SnapshotView;
pub(super) use view::{Received, stored_membership};
