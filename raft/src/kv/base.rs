//! What is on disk: one consistent, durable state of the tables.

use std::ops::Bound;
use std::sync::{Arc, OnceLock};

use redb::{Database, Durability, ReadOnlyTable, ReadableDatabase, ReadableTable, ReadableTableMetadata};

use super::absent::{Absent, Digest};
use super::layer::{Layer, Table};
use crate::error::{Doing, StoreError};

/// A key and its value.
pub(crate) type Pair = (Box<[u8]>, Arc<[u8]>);

/// A durable state, as of one commit. It stays as it is while later commits go on.
pub(crate) struct Base {
    // Before what keeps them readable.
    tables: Vec<ReadOnlyTable<&'static [u8], &'static [u8]>>,
    /// Keys of the index of chunks.
    absent: Absent,
    _readable: Retirement,
}

/// Where a database goes when another has taken its place: it stays open as long as somebody reads it, since a closed one
/// cannot be read.
#[derive(Clone, Default)]
pub(crate) struct Retirement(Arc<OnceLock<Database>>);

impl Retirement {
    /// Keeps the database until everybody who was given this is gone.
    pub(crate) fn keep(&self, database: Database) {
        // There is only one to keep, ever.
        drop(self.0.set(database));
    }
}

impl Base {
    /// Makes sure that every table exists.
    pub(crate) fn create(database: &Database) -> Result<(), StoreError> {
        let existing = database.begin_read().doing("begin reading")?;
        let existing = existing.list_tables().doing("list the tables")?.count();
        if existing == Table::ALL.len() {
            return Ok(());
        }
        Self::commit_with(database, |transaction| {
            for table in Table::ALL {
                transaction
                    .open_table(table.definition())
                    .doing("create a table")?;
            }
            Ok(())
        })
    }

    /// The last committed state. It cannot be read any more once the database is closed.
    pub(crate) fn last(database: &Database) -> Result<Self, StoreError> {
        Self::last_until(database, &Retirement::default())
    }

    /// The last committed state, readable until the database is closed; one that retires waits for this reader.
    pub(crate) fn last_until(database: &Database, retirement: &Retirement) -> Result<Self, StoreError> {
        let transaction = database.begin_read().doing("begin reading")?;
        let open = |table: Table| transaction.open_table(table.definition()).doing("open a table");
        Ok(Self {
            tables: Table::ALL.into_iter().map(open).collect::<Result<_, _>>()?,
            absent: Absent::default(),
            _readable: retirement.clone(),
        })
    }

    /// Writes a layer, sorted, in one durable commit.
    pub(crate) fn commit(database: &Database, layer: &Layer) -> Result<(), StoreError> {
        Self::commit_with(database, |transaction| write_layer(transaction, layer))
    }

    /// Replaces every table by those of another state, and writes a layer over it, in one durable commit: a crash leaves
    /// the old state or the new, never a mix.
    pub(crate) fn replace(database: &Database, other: &Self, over: &Layer) -> Result<(), StoreError> {
        Self::commit_with(database, |transaction| {
            for table in Table::ALL {
                transaction
                    .delete_table(table.definition())
                    .doing("empty a table")?;
                let mut open = transaction.open_table(table.definition()).doing("open a table")?;
                for row in other.tables[table as usize].iter().doing("read a snapshot")? {
                    let (key, value) = row.doing("read a snapshot")?;
                    open.insert(key.value(), value.value()).doing("write a row")?;
                }
            }
            write_layer(transaction, over)
        })
    }

    fn commit_with(
        database: &Database,
        write: impl FnOnce(&redb::WriteTransaction) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut transaction = database.begin_write().doing("begin writing the state")?;
        transaction
            .set_durability(Durability::Immediate)
            .doing("ask for a durable commit")?;
        // Without it, opening the file after a crash would read all of it.
        transaction.set_quick_repair(true);
        write(&transaction)?;
        transaction.commit().doing("commit the state")
    }

    /// The value of a key.
    pub(crate) fn get(&self, table: Table, key: &[u8]) -> Result<Option<Arc<[u8]>>, StoreError> {
        let digest = Digest::try_from(key).ok().filter(|_| table == Table::ChunkIndex);
        if digest.is_some_and(|digest| self.absent.contains(&digest)) {
            return Ok(None);
        }
        let value = self.tables[table as usize].get(key).doing("read a row")?;
        if let (None, Some(digest)) = (&value, digest) {
            self.absent.insert(digest);
        }
        Ok(value.map(|value| value.value().into()))
    }

    /// The pairs in a range of keys, ascending.
    pub(crate) fn range(
        &self,
        table: Table,
        range: (Bound<&[u8]>, Bound<&[u8]>),
    ) -> Result<impl Iterator<Item = Result<Pair, StoreError>> + use<>, StoreError> {
        let rows = self.tables[table as usize]
            .range::<&[u8]>(range)
            .doing("begin a scan")?;
        Ok(rows.map(|row| {
            let (key, value) = row.doing("scan a table")?;
            Ok((key.value().into(), value.value().into()))
        }))
    }

    /// Shows the rows of a table after a key, ascending, until `take` has enough.
    pub(crate) fn visit_after(
        &self,
        table: Table,
        after: Option<&[u8]>,
        mut take: impl FnMut(&[u8], &[u8]) -> bool,
    ) -> Result<(), StoreError> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rows = self.tables[table as usize]
            .range::<&[u8]>((from, Bound::Unbounded))
            .doing("begin a scan")?;
        for row in rows {
            let (key, value) = row.doing("scan a table")?;
            if !take(key.value(), value.value()) {
                break;
            }
        }
        Ok(())
    }

    /// Rows in a table.
    pub(crate) fn rows(&self, table: Table) -> Result<u64, StoreError> {
        self.tables[table as usize].len().doing("count rows")
    }
}

fn write_layer(transaction: &redb::WriteTransaction, layer: &Layer) -> Result<(), StoreError> {
    for table in Table::ALL {
        let entries = layer.table(table);
        if entries.is_empty() {
            continue;
        }
        let mut open = transaction.open_table(table.definition()).doing("open a table")?;
        for (key, value) in entries {
            match value {
                Some(value) => drop(open.insert(&**key, &**value).doing("write a row")?),
                None => drop(open.remove(&**key).doing("delete a row")?),
            }
        }
    }
    Ok(())
}
