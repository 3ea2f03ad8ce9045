//! What every request passes on its way to a handler, and every response on its way back.

mod deadline;
mod field_count;
mod fields;
mod malformed;
mod memory;
mod places;
mod slow;

pub(super) use deadline::{Deadline, honour_deadline};
pub(super) use fields::{RequestFields, bound_fields};
pub(super) use malformed::blame_the_client;
pub(super) use memory::{BodyMemory, bound_memory};
pub(super) use places::{Places, bound_requests};
pub(super) use slow::warn_when_slow;
