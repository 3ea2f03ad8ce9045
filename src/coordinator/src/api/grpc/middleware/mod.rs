//! What every request passes on its way to a handler, and every response on its way back.

mod deadline;
mod malformed;
mod memory;
mod slow;

pub(super) use deadline::{Deadline, TimeLimit};
pub(super) use malformed::blame_the_client;
pub(super) use memory::{BodyMemory, CountedBody};
pub(super) use slow::Stopwatch;
