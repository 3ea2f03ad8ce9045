//! What every request passes on its way to a handler, and every response on its way back.

mod deadline;
mod field_count;
mod fields;
mod leader;
mod malformed;
mod memory;
mod places;
mod slow;

pub(super) use deadline::{ClientDeadline, Deadline, TimeLimit, passed};
pub(super) use fields::{CheckedBody, RequestFields};
pub(super) use leader::tell_leader;
pub(super) use malformed::{blame_the_client, blamed};
pub(super) use memory::{BodyMemory, MessageShare, Messages};
pub(super) use places::{Place, Places};
pub(super) use slow::Stopwatch;
