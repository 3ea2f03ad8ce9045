//! Takes requests apart: path, query, headers, body, each with errors that name what is wrong.

mod body;
mod context;
mod deadline;
mod json;
mod path;
mod query;

pub(super) use body::{JsonBody, OptionalJsonBody};
pub(super) use context::{FreshnessParams, IdempotencyParams, ReadContext, WriteContext};
pub(super) use deadline::{ClientDeadline, Deadline, set_deadline};
pub(super) use path::PathId;
pub(super) use query::{FromQuery, Query, QueryPairs};
