//! Rows that leave for another engine, or come from one, while no replica runs on the data.

mod import;
mod staging;
mod stopped;

pub use import::{Imported, Importer};
pub use stopped::StoppedReplica;
