//! The worker that puts writes on disk: all that wait, in one durable commit.

use std::sync::Arc;

use openraft::type_config::AsyncRuntime;
use redb::{Database, Durability, ReadableTable, Table};

use super::LogId;
use super::record::{ENTRIES, VALUES, encode_entry, encode_value, encode_vote, log_id_to_record};
use super::shared::Shared;
use super::write::{Waiting, Write};
use crate::error::{Doing, StoreError};

pub(super) const VOTE_KEY: &str = "vote";
pub(super) const COMMITTED_KEY: &str = "committed";
pub(super) const PURGED_KEY: &str = "purged";

/// A purge removes at most so many entries in one commit, so that no append waits long behind it.
const PURGE_STEP: usize = 1_000;

/// Writes the log.
pub(super) struct Writer<R: AsyncRuntime> {
    database: Arc<Database>,
    shared: Arc<Shared<R>>,
    /// Entries up to this index are to be removed, the oldest first.
    purge_to: Option<u64>,
}

impl<R: AsyncRuntime> Writer<R> {
    pub(super) fn new(database: Arc<Database>, shared: Arc<Shared<R>>, purged: Option<u64>) -> Self {
        Self {
            database,
            shared,
            purge_to: purged,
        }
    }

    /// Writes until the queue is closed and empty, or a write fails.
    pub(super) async fn run(mut self) {
        while let Some(writes) = self.shared.queue.take_all(self.purge_to.is_none()).await {
            let mut waiting = Vec::with_capacity(writes.len());
            match self.commit(writes, &mut waiting) {
                Ok(last) => {
                    if let Some(last) = last {
                        self.shared.tail_mut().now_durable(last);
                    }
                    waiting.into_iter().for_each(|waiting| waiting.tell(None));
                }
                Err(error) => {
                    // Nothing can be written after a failed write: what follows would leave a hole.
                    tracing::error!(%error, "Writing the Raft log failed; this replica stops");
                    let reason = error.to_string();
                    self.shared.fail(reason.clone());
                    waiting
                        .into_iter()
                        .for_each(|waiting| waiting.tell(Some(&reason)));
                    self.refuse_the_rest(&reason).await;
                    return;
                }
            }
        }
        if let Err(error) = self.write_committed() {
            tracing::warn!(%error, "The last committed index was not saved; it will be found again");
        }
        let Self { database, shared, .. } = self;
        drop(database);
        shared.closed();
    }

    async fn refuse_the_rest(&self, reason: &str) {
        self.shared.queue.close();
        while let Some(writes) = self.shared.queue.take_all(true).await {
            writes.into_iter().for_each(|write| write.refuse(reason));
        }
        self.shared.closed();
    }

    /// Puts writes on disk and notes who waits for them; answers the last index appended.
    fn commit(
        &mut self,
        writes: Vec<Write<R>>,
        waiting: &mut Vec<Waiting<R>>,
    ) -> Result<Option<u64>, StoreError> {
        let mut last = None;
        let mut failed = None;
        let mut transaction = self.database.begin_write().doing("begin writing the log")?;
        transaction
            .set_durability(Durability::Immediate)
            .doing("ask for a durable commit")?;
        {
            let mut entries = transaction.open_table(ENTRIES).doing("open the log's entries")?;
            let mut values = transaction.open_table(VALUES).doing("open the log's values")?;
            for write in writes {
                // Everybody in the batch must hear of a failure, so it does not end the loop.
                let done = self.write(write, &mut entries, &mut values, waiting);
                match done {
                    Ok(Some(Appended { last: index })) => last = index,
                    Ok(None) => {}
                    Err(error) => failed = failed.or(Some(error)),
                }
            }
            if failed.is_none() {
                self.purge_step(&mut entries)?;
                put_log_id::<R>(&mut values, COMMITTED_KEY, self.shared.tail().committed)?;
            }
        }
        match failed {
            Some(error) => Err(error),
            None => transaction.commit().doing("commit the log").map(|()| last),
        }
    }

    fn write(
        &mut self,
        write: Write<R>,
        entries: &mut Table<'_, u64, &'static [u8]>,
        values: &mut Table<'_, &'static str, &'static [u8]>,
        waiting: &mut Vec<Waiting<R>>,
    ) -> Result<Option<Appended>, StoreError> {
        match write {
            Write::Append(appended, flushed) => {
                waiting.push(Waiting::Append(flushed));
                for entry in &appended {
                    entries
                        .insert(entry.log_id.index, &*encode_entry::<R>(entry)?)
                        .doing("append to the log")?;
                }
                Ok(Some(Appended {
                    last: appended.last().map(|entry| entry.log_id.index),
                }))
            }
            Write::Vote(vote, told) => {
                waiting.push(Waiting::Vote(told));
                values
                    .insert(VOTE_KEY, &*encode_vote::<R>(&vote)?)
                    .doing("save the vote")?;
                Ok(None)
            }
            Write::Truncate(after) => {
                let from = after.map_or(0, |after| after.index + 1);
                entries
                    .retain_in(from.., |_, _| false)
                    .doing("truncate the log")?;
                Ok(Some(Appended {
                    last: after.map(|after| after.index),
                }))
            }
            Write::Purge(upto) => {
                put_log_id::<R>(values, PURGED_KEY, Some(upto))?;
                self.purge_to = self.purge_to.max(Some(upto.index));
                Ok(None)
            }
        }
    }

    /// Removes the next of the entries that are to go.
    fn purge_step(&mut self, entries: &mut Table<'_, u64, &'static [u8]>) -> Result<(), StoreError> {
        let Some(upto) = self.purge_to else { return Ok(()) };
        let doomed: Vec<u64> = entries
            .range(..=upto)
            .doing("find entries to purge")?
            .take(PURGE_STEP)
            .map(|entry| entry.map(|(index, _)| index.value()))
            .collect::<Result<_, _>>()
            .doing("find entries to purge")?;
        for &index in &doomed {
            entries.remove(index).doing("purge an entry")?;
        }
        if doomed.len() < PURGE_STEP {
            self.purge_to = None;
        }
        Ok(())
    }

    fn write_committed(&self) -> Result<(), StoreError> {
        let transaction = self.database.begin_write().doing("begin writing the log")?;
        {
            let mut values = transaction.open_table(VALUES).doing("open the log's values")?;
            put_log_id::<R>(&mut values, COMMITTED_KEY, self.shared.tail().committed)?;
        }
        transaction.commit().doing("commit the log")
    }
}

/// Entries were appended, or taken back, up to an index.
struct Appended {
    last: Option<u64>,
}

fn put_log_id<R: AsyncRuntime>(
    values: &mut Table<'_, &'static str, &'static [u8]>,
    key: &'static str,
    log_id: Option<LogId<R>>,
) -> Result<(), StoreError> {
    if let Some(log_id) = log_id {
        values
            .insert(key, &*encode_value(&log_id_to_record(&log_id))?)
            .doing("save a position in the log")?;
    }
    Ok(())
}
