//! The PostgreSQL engine of the coordinator: stateless instances over one database. See `DESIGN.md`.

mod columns;
mod dump;
mod error;
mod load;
mod schema;
mod statement;
mod tables;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod write;

#[cfg(test)]
mod tests;
