//! One replica over the embedded engine in memory: the service by itself, and what clients see over gRPC.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "everything here is a test"
)]

mod admin;
mod files;
mod grpc;
mod inventories;
mod nodes;
mod repair;
mod support;
mod tasks;
mod watch;
