//! A replica among others, as its clients and operators see it: the APIs, the probes and the metrics are real, and the
//! engine below them plays its part as each test tells it to.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "everything here is a test"
)]

mod changes;
mod deadlines;
mod freshness;
mod heartbeat_streams;
mod jobs;
mod leader;
mod metrics;
mod part;
mod readiness;
mod repair;
mod replica;
mod watch;
