//! The REST API, the health port and the metrics over the embedded engine, as a client on the network sees
//! them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    reason = "everything here is a test"
)]

mod chunks;
mod cluster;
mod connections;
mod cors;
mod description;
mod drains;
mod files;
mod health;
mod lists;
mod malformed;
mod metrics;
mod nodes;
mod operations;
mod server;
mod watch;
