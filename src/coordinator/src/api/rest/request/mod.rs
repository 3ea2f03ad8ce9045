//! Takes requests apart: path, query, headers, body, each with errors that name what is wrong.

mod body;
mod context;
mod deadline;
mod json;
mod path;
mod query;
mod span;

pub(super) use body::{BodyLimits, JsonBody, OptionalJsonBody};
pub(super) use context::{FreshnessParams, IDEMPOTENCY_KEY, IdempotencyParams, ReadContext, WriteContext};
pub(super) use deadline::{Deadline, set_deadline};
pub(super) use json::Object;
pub(super) use path::PathId;
pub(super) use query::{FromQuery, Query, QueryPairs};
pub(super) use span::{SPAN_PATTERN, parse_span};
