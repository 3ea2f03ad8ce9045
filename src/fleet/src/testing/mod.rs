//! A coordinator in memory that keeps to the wire contract, for the tests of this crate only.
//!
//! `state` holds its rules and what tests can order of it (errors, lies, tasks); `fake_coordinator` serves it
//! over gRPC.

pub(crate) mod fake_coordinator;
pub(crate) mod state;
