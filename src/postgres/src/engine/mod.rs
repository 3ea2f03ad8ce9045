//! The engine: commands as transactions, reads, and what one instance alone does.

mod batch;
mod connections;
mod duties;
mod events;
mod execute;
mod fate;
mod keeper;
mod lease;
mod observe;
mod own;
mod places;
mod port;
mod presence;
mod reads;
mod start;
mod status;
mod trouble;

#[cfg(test)]
pub(crate) use places::{Search, give_places};
pub(crate) use presence::AWAY_SECONDS;
pub(crate) use start::new_service_id;
pub use start::{PostgresEngine, StartError};
