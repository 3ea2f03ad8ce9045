//! What is written when nothing of it was there before: one statement, which is a transaction by itself.
//!
//! It needs no snapshot that is older than itself. A row that another transaction made after the look fails it by its key, and
//! what was decided rests on nothing else but nodes, which may be as they were a moment ago.

use std::collections::BTreeMap;

use sqlx::postgres::PgConnection;

use super::plan::Plan;
use super::record::{Written, record};
use super::{Decided, tell_of};
use crate::error::StoreError;
use crate::load::Loaded;
use crate::statement::{RowsAre, Statement};
use crate::tables::{chunks, files, requests};

/// Rows that are all new.
pub(crate) struct Additions {
    statement: Statement,
    written: Vec<Written>,
}

impl Additions {
    /// What proposals came to that were decided on what was loaded, in which there was nothing but nodes; `None` if they do
    /// anything but add files, chunks and remembered requests.
    ///
    /// # Errors
    /// If a value cannot be encoded.
    pub(crate) fn of(decided: &[Decided<'_>], loaded: &Loaded) -> Result<Option<Self>, StoreError> {
        let plan = Plan::of(decided);
        if !plan.only_adds(&loaded.view) {
            return Ok(None);
        }
        let written: Vec<Written> = decided
            .iter()
            .map(|one| record(one.mutations, &loaded.view, &BTreeMap::new()))
            .collect();
        let mut statement = Statement::default();
        chunks::put(&mut statement, &plan.chunks, RowsAre::New)?;
        plan.copies(loaded).insert(&mut statement)?;
        files::put(&mut statement, &plan.files, RowsAre::New)?;
        for &(key, row) in &plan.requests {
            requests::insert(&mut statement, key, row)?;
        }
        tell_of(&mut statement, decided, &written, loaded)?;
        Ok(Some(Self { statement, written }))
    }

    /// Writes them, for good: outside of any transaction.
    ///
    /// # Errors
    /// The database's. After one that is gone nobody knows whether they were written.
    pub(crate) async fn write(self, connection: &mut PgConnection) -> Result<Vec<Written>, StoreError> {
        self.statement.run(connection).await?;
        Ok(self.written)
    }
}
