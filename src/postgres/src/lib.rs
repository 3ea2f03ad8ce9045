//! The PostgreSQL engine of the coordinator: stateless instances over one database. See `DESIGN.md`.

mod columns;
mod connect;
mod dump;
mod engine;
mod error;
mod exchange;
mod load;
mod options;
mod schema;
mod statement;
mod tables;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod write;

pub use connect::{UrlError, place};
pub use engine::{PostgresEngine, StartError};
pub use exchange::{Access, ExchangeError, Export, Import};
pub use options::{Observer, Options, Unobserved};

#[cfg(test)]
mod tests;
