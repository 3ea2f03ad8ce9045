//! End-to-end tests: a real coordinator process, spoken to as its clients do.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "what goes wrong in a test is a failed test"
)]

mod cluster;
mod connections;
mod contract;
mod database_metrics;
mod durability;
mod exchange;
mod fleet;
mod heartbeats;
mod postgres;
mod start_up;
mod tasks;
mod watch;
