//! Liveness without a write per heartbeat: beats that came in wait in memory, and one command records many of
//! them.
//!
//! [`Pending`] keeps the newest beat of each node and shows it to reads, so that a client reads its own
//! heartbeat. [`Urgent`] is the queue of beats whose senders wait, because their nodes are active again only
//! once they are recorded. [`flusher`] records both.

mod flusher;
mod pending;
mod received;
mod urgent;

pub(super) use flusher::Flusher;
pub(super) use pending::Pending;
pub(super) use received::ReceivedBeat;
pub(super) use urgent::Urgent;
