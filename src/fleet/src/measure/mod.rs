//! What is measured during a run: latencies and errors of every call, and counts of what was done.
//!
//! The client records each call in a `Recorder`; runner and bench count outcomes in `Counters`; reports read
//! both.

pub mod counters;
pub mod errors;
pub mod latency;
pub mod recorder;
