//! What every request passes on its way to a handler, and every response on its way back.

mod deadline;
mod field_count;
mod fields;
mod leader;
mod malformed;
mod memory;
mod places;
mod slow;

pub(super) use deadline::{ClientDeadline, Deadline, TimeLimit};
pub(super) use fields::{CheckedBody, RequestFields};
pub(super) use leader::tell_leader;
pub(super) use malformed::blame_the_client;
pub(super) use memory::BodyMemory;
pub(super) use places::Places;
pub(super) use slow::Stopwatch;
