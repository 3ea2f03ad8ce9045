//! How fresh a read is.

mod freshness;
mod rounds;

pub(super) use rounds::{Round, Rounds};
