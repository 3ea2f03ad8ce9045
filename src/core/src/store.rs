//! The port below an engine that keeps rows: what the rules ask of a store, kind by kind.
//!
//! Every store runs the same suite of random command sequences beside the in-memory model.

use crate::effects::Mutation;
use crate::event::Change;
use crate::row::Row;
use crate::view::{ReadSet, View};

/// Keeps rows.
pub trait RowStore {
    /// What can go wrong with the medium.
    type Error: std::error::Error;

    /// Loads the rows that are asked for and exist.
    ///
    /// # Errors
    /// The medium's.
    fn load(&self, reads: &ReadSet) -> Result<View, Self::Error>;

    /// Writes what a decision came to; all of it, or nothing. Answers what changed by it, as [`crate::event::Recorder`]
    /// says it.
    ///
    /// # Errors
    /// The medium's.
    fn write(&mut self, mutations: &[Mutation]) -> Result<Vec<Change>, Self::Error>;

    /// Hands out every row, kind by kind in the order of [`Row`]'s variants, until `take` answers `false`. Within a kind each
    /// store has an order of its own.
    ///
    /// # Errors
    /// The medium's.
    fn dump(&self, take: &mut dyn FnMut(Row) -> bool) -> Result<(), Self::Error>;
}
