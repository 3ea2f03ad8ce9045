//! Filling an empty database with rows that come in order: many times as fast as writing them one by one, and in half the
//! space.

use std::ops::Bound;

use redb::{Database, Durability, WriteTransaction};

use super::base::Base;
use super::layer::Table;
use crate::error::{Doing, StoreError};

/// After so many bytes a commit is made: a transaction remembers every page that it took.
const COMMIT_BYTES: usize = 32 << 20;

/// A database that is being filled. Nothing of it is durable before its owner commits it as a whole.
pub(crate) struct Bulk {
    // Before the database: dropped while it is under way, a transaction still needs it.
    transaction: Option<WriteTransaction>,
    uncommitted: usize,
    database: Database,
}

impl Bulk {
    /// Makes every table.
    pub(crate) fn begin(database: Database) -> Result<Self, StoreError> {
        Base::create(&database)?;
        Ok(Self {
            transaction: None,
            uncommitted: 0,
            database,
        })
    }

    /// Adds rows at the end of a table. They ascend, and follow on those that are there.
    pub(crate) fn append(&mut self, table: Table, rows: &[(&[u8], &[u8])]) -> Result<(), StoreError> {
        let transaction = match &mut self.transaction {
            Some(transaction) => transaction,
            None => {
                let mut begun = self.database.begin_write().doing("begin writing a snapshot")?;
                begun
                    .set_durability(Durability::None)
                    .doing("ask for a commit that is not durable")?;
                self.transaction.insert(begun)
            }
        };
        {
            let mut open = transaction.open_table(table.definition()).doing("open a table")?;
            let mut end = open
                .upper_bound_mut(Bound::<&[u8]>::Unbounded)
                .doing("find the end of a table")?;
            for &(key, value) in rows {
                end.insert_before(key, value)
                    .map_err(|error| StoreError::corrupt(table.name(), error))?;
                self.uncommitted += key.len() + value.len();
            }
            end.close().doing("append rows")?;
        }
        if self.uncommitted > COMMIT_BYTES {
            self.commit()?;
        }
        Ok(())
    }

    /// The database with all that was added. Still nothing of it is durable.
    pub(crate) fn end(mut self) -> Result<Database, StoreError> {
        self.commit()?;
        Ok(self.database)
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        self.uncommitted = 0;
        match self.transaction.take() {
            Some(transaction) => transaction.commit().doing("commit a part of a snapshot"),
            None => Ok(()),
        }
    }
}
