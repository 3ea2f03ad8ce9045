//! The worker that puts writes on disk: all that wait, in one durable commit.

use std::sync::Arc;

use openraft::type_config::AsyncRuntime;
use redb::{Database, Durability, ReadableTable, Table};

use super::LogId;
use super::identity::IDENTITY_KEY;
use super::record::{ENTRIES, VALUES, encode_entry, encode_value, encode_vote, log_id_to_record};
use super::shared::Shared;
use super::write::Change;
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
    /// The last entry on disk.
    last: Option<u64>,
    /// Truncations so far: what was appended before one may be void by now.
    truncations: u64,
}

impl<R: AsyncRuntime> Writer<R> {
    /// A writer for a log whose last entry, and last purged one, are these.
    pub(super) fn new(
        database: Arc<Database>,
        shared: Arc<Shared<R>>,
        last: Option<u64>,
        purged: Option<u64>,
    ) -> Self {
        Self {
            database,
            shared,
            purge_to: purged,
            last,
            truncations: 0,
        }
    }

    /// Writes until the queue is closed and empty, or a write fails.
    pub(super) async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let _told = scopeguard::guard_on_unwind((), |()| {
            let reason = "the thread that writes the Raft log ended in a panic";
            shared.fail(reason.to_owned());
            // Nobody takes what waits from now on.
            let left = shared.queue.end().into_iter().filter_map(|write| write.waiting);
            left.for_each(|waiting| waiting.tell(Some(reason)));
        });
        while let Some(writes) = self.shared.queue.take_all(self.purge_to.is_none()).await {
            let mut changes = Vec::with_capacity(writes.len());
            let mut waiting = Vec::with_capacity(writes.len());
            for write in writes {
                changes.extend(write.change);
                waiting.extend(write.waiting);
            }
            // Whoever only waits for what came before needs no commit of its own.
            let is_idle = changes.is_empty() && self.purge_to.is_none();
            let done = if is_idle { Ok(()) } else { self.commit(&changes) };
            let failure = done.err().map(|error| error.to_string());
            match &failure {
                None => self.shared.tail_mut().now_durable(self.last, self.truncations),
                Some(reason) => {
                    tracing::error!(error = reason, "Writing the Raft log failed; this replica stops");
                    self.shared.fail(reason.clone());
                }
            }
            waiting
                .into_iter()
                .for_each(|waiting| waiting.tell(failure.as_deref()));
            if let Some(reason) = failure {
                // Nothing can be written after a failed write: what follows would leave a hole.
                self.refuse_the_rest(&reason).await;
                return;
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
            let waiting = writes.into_iter().filter_map(|write| write.waiting);
            waiting.for_each(|waiting| waiting.tell(Some(reason)));
        }
        self.shared.closed();
    }

    /// Puts changes on disk, all of them in one durable commit.
    fn commit(&mut self, changes: &[Change<R>]) -> Result<(), StoreError> {
        let mut transaction = self.database.begin_write().doing("begin writing the log")?;
        transaction
            .set_durability(Durability::Immediate)
            .doing("ask for a durable commit")?;
        {
            let mut entries = transaction.open_table(ENTRIES).doing("open the log's entries")?;
            let mut values = transaction.open_table(VALUES).doing("open the log's values")?;
            for change in changes {
                self.write(change, &mut entries, &mut values)?;
            }
            self.purge_step(&mut entries)?;
            self.put_committed(&mut values)?;
        }
        transaction.commit().doing("commit the log")
    }

    fn write(
        &mut self,
        change: &Change<R>,
        entries: &mut Table<'_, u64, &'static [u8]>,
        values: &mut Table<'_, &'static str, &'static [u8]>,
    ) -> Result<(), StoreError> {
        match change {
            Change::Append(appended) => {
                for entry in appended {
                    entries
                        .insert(entry.log_id.index, &*encode_entry::<R>(entry)?)
                        .doing("append to the log")?;
                    self.last = Some(entry.log_id.index);
                }
            }
            Change::Vote(vote) => {
                values
                    .insert(VOTE_KEY, &*encode_vote::<R>(vote)?)
                    .doing("save the vote")?;
            }
            Change::Identity(identity) => {
                values
                    .insert(IDENTITY_KEY, &*encode_value(identity)?)
                    .doing("save the identity")?;
            }
            Change::Truncate(after) => {
                let from = after.map_or(0, |after| after.index + 1);
                entries
                    .retain_in(from.., |_, _| false)
                    .doing("truncate the log")?;
                self.last = self.last.min(after.map(|after| after.index));
                self.truncations += 1;
            }
            Change::Purge(upto) => {
                put_log_id::<R>(values, PURGED_KEY, *upto)?;
                self.purge_to = self.purge_to.max(Some(upto.index));
                self.last = self.last.max(Some(upto.index));
            }
        }
        Ok(())
    }

    /// Saves how far the log is committed, but not beyond what is on disk: after a crash it is applied that far. What is
    /// committed may still wait in the queue, behind the truncation that makes room for it; the disk has other entries
    /// under the same indexes until then, which must never be applied.
    fn put_committed(&self, values: &mut Table<'_, &'static str, &'static [u8]>) -> Result<(), StoreError> {
        let committed = {
            let tail = self.shared.tail();
            tail.committed.filter(|_| tail.truncations() == self.truncations)
        };
        match committed.filter(|committed| Some(committed.index) <= self.last) {
            Some(committed) => put_log_id::<R>(values, COMMITTED_KEY, committed),
            None => Ok(()),
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
            self.put_committed(&mut values)?;
        }
        transaction.commit().doing("commit the log")
    }
}

fn put_log_id<R: AsyncRuntime>(
    values: &mut Table<'_, &'static str, &'static [u8]>,
    key: &'static str,
    log_id: LogId<R>,
) -> Result<(), StoreError> {
    values
        .insert(key, &*encode_value(&log_id_to_record(&log_id))?)
        .doing("save a position in the log")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use openraft::{EntryPayload, LogId, TokioRuntime};

    use super::super::store::load;
    use super::super::{Entry, Identity};
    use super::{Change, Shared, Writer};
    use crate::disk::{DatabaseKind, Memory, open_database};
    use crate::types::LeaderTerm;

    type Runtime = TokioRuntime;

    fn log_id(term: u64, index: u64) -> LogId<LeaderTerm> {
        LogId {
            leader_id: LeaderTerm::new(term),
            index,
        }
    }

    fn blank(term: u64, index: u64) -> Entry<Runtime> {
        Entry::<Runtime> {
            log_id: log_id(term, index),
            payload: EntryPayload::Blank,
        }
    }

    #[test]
    fn what_is_committed_behind_a_truncation_that_still_waits_is_not_saved() {
        let database = open_database(&Memory::default(), DatabaseKind::Log, 1 << 20).unwrap();
        Identity::load_or_mint::<Runtime>(&database, "log").unwrap();
        let shared = Arc::new(Shared::<Runtime>::new(load(&database).unwrap()));
        let database = Arc::new(database);
        let mut writer = Writer::new(Arc::clone(&database), Arc::clone(&shared), None, None);
        let saved = || load::<Runtime>(&database).unwrap().committed;

        let lost: Vec<_> = (1..=10).map(|index| blank(1, index)).collect();
        lost.iter()
            .cloned()
            .for_each(|entry| shared.tail_mut().push(entry));
        shared.tail_mut().committed = Some(log_id(1, 5));
        writer.commit(&[Change::Append(lost)]).unwrap();
        assert_eq!(saved(), Some(log_id(1, 5)));

        // Another leader's entries come and are committed while the writer is busy with something else.
        let kept: Vec<_> = (6..=8).map(|index| blank(2, index)).collect();
        {
            let mut tail = shared.tail_mut();
            tail.truncate(Some(log_id(1, 5)));
            kept.iter().cloned().for_each(|entry| tail.push(entry));
            tail.committed = Some(log_id(2, 8));
        }
        writer.commit(&[]).unwrap();
        assert_eq!(
            saved(),
            Some(log_id(1, 5)),
            "the lost leader's entries would be applied after a crash"
        );
        writer
            .commit(&[Change::Truncate(Some(log_id(1, 5))), Change::Append(kept)])
            .unwrap();
        assert_eq!(saved(), Some(log_id(2, 8)));
    }
}
