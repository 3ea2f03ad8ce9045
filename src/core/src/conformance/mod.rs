//! The suite that every store of the rules runs: random command sequences beside the in-memory model.
//!
//! A store implements [`Subject`] in its tests and calls [`run`]. Each command is applied to the model and to the store;
//! answers, rows, totals and what is said to have changed must be equal, and the model's rows must keep the [`invariants`]. A failing sequence is shrunk,
//! and the failure names the seed that brings it back. `PROPTEST_CASES` says how many sequences are tried.

pub mod invariants;
mod kept_copies;

mod actions;
mod changes;
mod runner;
mod sequence;
mod subject;
#[cfg(test)]
mod tests;
mod universe;

pub use changes::in_order_of_ids;
pub use runner::{Failure, check, run};
pub use sequence::{Sequence, sequences};
pub use subject::Subject;
