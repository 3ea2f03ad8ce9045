//! The engine: commands as transactions, reads, and what one instance alone does.

mod batch;
mod connections;
mod events;
mod execute;
mod keeper;
mod lease;
mod own;
mod places;
mod reads;
mod start;
mod status;
mod trouble;

#[cfg(test)]
pub(crate) use batch::together;
#[cfg(test)]
pub(crate) use places::give_places;
pub use start::{PostgresEngine, StartError};
