//! Tests on a real server.

mod conformance;
mod engine;
mod hammer;
mod lease;
mod lost_answers;
mod support;
mod trouble;
