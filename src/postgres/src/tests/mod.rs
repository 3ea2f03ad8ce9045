//! Tests on a real server.

mod backlog;
mod believers;
mod conformance;
mod engine;
mod exchange;
mod hammer;
mod lease;
mod lost_answers;
mod silence;
mod support;
mod trouble;
mod usage;
mod ways;
