//! Work that the leader does by itself, at intervals.
//!
//! Jobs only propose, with their condition inside the command: a replica that wrongly believes that it leads does no harm.

mod expiry;
mod housekeeping;
mod repair;
mod runner;

pub use expiry::Expiry;
pub use housekeeping::{Housekeeping, Releases};
pub use repair::Repair;
pub use runner::{Job, JobError, Jobs};
