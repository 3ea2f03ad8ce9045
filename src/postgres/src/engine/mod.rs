//! The engine: commands as transactions, reads, and what one instance alone does.

mod events;
mod execute;
mod keeper;
mod lease;
mod places;
mod reads;
mod start;
mod status;
mod trouble;

pub use start::{PostgresEngine, StartError};
