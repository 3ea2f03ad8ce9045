//! What changed, for who watches: read once for all of them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::query;
use sqlx::{AssertSqlSafe, Row as _};
use zephyrfs_core::engine::{EngineError, Events, EventsError};
use zephyrfs_core::event::EventGroup;
use zephyrfs_core::units::AppliedIndex;

use super::start::PostgresEngine;
use super::trouble::nothing_happened;
use crate::columns::{count, to_bigint};
use crate::error::StoreError;
use crate::tables::events;

/// So many events are read at once.
const BATCH: i64 = 1_000;

/// So many changes, and bytes of them, are kept for those who watch.
const KEPT: usize = 16_384;
const KEPT_BYTES: usize = 8 << 20;

/// The last events, without a gap: all that have places after `after`, up to `through`.
#[derive(Default)]
pub(super) struct Recent {
    groups: VecDeque<Arc<EventGroup>>,
    changes: usize,
    bytes: usize,
    after: u64,
    through: u64,
}

impl Recent {
    fn add(&mut self, groups: Vec<Arc<EventGroup>>, through: u64) {
        for group in groups {
            self.changes += group.changes.len();
            self.bytes += bytes_of(&group);
            self.groups.push_back(group);
        }
        self.through = through;
        while self.groups.len() > 1
            && (self.changes > KEPT || self.bytes > KEPT_BYTES)
            && let Some(oldest) = self.groups.pop_front()
        {
            self.changes -= oldest.changes.len();
            self.bytes -= bytes_of(&oldest);
            self.after = oldest.index.get();
        }
    }

    fn restart(&mut self, after: u64) {
        *self = Self {
            after,
            through: after,
            ..Self::default()
        };
    }

    fn after(&self, after: AppliedIndex, limit: usize) -> Events {
        let first = self.groups.partition_point(|group| group.index <= after);
        cut(self.groups.range(first..), limit, self.through.max(after.get()))
    }
}

/// About `limit` changes, and never a part of a group. `through` is how far all of them reach.
fn cut<'g>(groups: impl Iterator<Item = &'g Arc<EventGroup>>, limit: usize, through: u64) -> Events {
    let mut taken = 0;
    let mut kept = Vec::new();
    let mut is_cut = false;
    for group in groups {
        if taken >= limit.max(1) {
            is_cut = true;
            break;
        }
        taken += group.changes.len();
        kept.push(Arc::clone(group));
    }
    let last = kept.last().map_or(through, |group| group.index.get());
    Events {
        through: AppliedIndex::new(if is_cut { last } else { through }),
        groups: kept,
    }
}

fn bytes_of(group: &EventGroup) -> usize {
    let heap: usize = group
        .changes
        .iter()
        .map(zephyrfs_core::event::Change::heap_bytes)
        .sum();
    size_of::<EventGroup>() + size_of_val(&*group.changes) + heap
}

/// Events that were read, and how far they reach.
struct Read {
    groups: Vec<Arc<EventGroup>>,
    through: u64,
    /// Everything up to here is forgotten.
    forgotten: u64,
}

impl PostgresEngine {
    pub(super) async fn events_after(
        &self,
        after: AppliedIndex,
        limit: usize,
        within: Duration,
    ) -> Result<Events, EventsError> {
        let until = Instant::now() + within;
        let mut observed = self.observed.subscribe();
        loop {
            {
                let seen = observed.borrow_and_update();
                if let Some(reason) = seen.obstacle() {
                    return Err(EngineError::Unavailable { reason }.into());
                }
                if after.get() < seen.forgotten {
                    return Err(EventsError::TooOld {
                        oldest: AppliedIndex::new(seen.forgotten),
                    });
                }
            }
            let place = observed.borrow().place;
            if place > after.get() {
                let events = self.read_events(after, limit, place).await?;
                if !events.groups.is_empty() || Instant::now() >= until || events.through.get() < place {
                    return Ok(events);
                }
            }
            let left = until.saturating_duration_since(Instant::now());
            let beyond = place.max(after.get());
            let changed = observed.wait_for(|seen| seen.place > beyond || seen.obstacle().is_some());
            if tokio::time::timeout(left, changed).await.is_err() {
                return Ok(Events {
                    groups: Vec::new(),
                    through: AppliedIndex::new(beyond.max(after.get())),
                });
            }
        }
    }

    async fn read_events(
        &self,
        after: AppliedIndex,
        limit: usize,
        place: u64,
    ) -> Result<Events, EventsError> {
        let mut recent = self.recent.lock().await;
        if recent.through == 0 && recent.groups.is_empty() {
            // The first who watches says from where on it is worth keeping.
            recent.restart(after.get());
        }
        if after.get() < recent.after {
            drop(recent);
            return self.read_far_behind(after, limit, place).await;
        }
        if after.get() > recent.through.saturating_add(BATCH.cast_unsigned()) {
            recent.restart(after.get());
        }
        while recent.through < place {
            let from = recent.through;
            let read = self.select(from, place).await?;
            if from < read.forgotten {
                recent.restart(read.forgotten.max(after.get()));
                continue;
            }
            if read.through == from {
                break;
            }
            recent.add(read.groups, read.through);
        }
        if after.get() < recent.after {
            // So much came at once that it is not all kept.
            drop(recent);
            return self.read_far_behind(after, limit, place).await;
        }
        Ok(recent.after(after, limit))
    }

    /// For somebody who is far behind: what is kept for the others stays.
    async fn read_far_behind(
        &self,
        after: AppliedIndex,
        limit: usize,
        place: u64,
    ) -> Result<Events, EventsError> {
        let read = self.select(after.get(), place).await?;
        if after.get() < read.forgotten {
            return Err(EventsError::TooOld {
                oldest: AppliedIndex::new(read.forgotten),
            });
        }
        Ok(cut(read.groups.iter(), limit, read.through))
    }

    async fn select(&self, after: u64, place: u64) -> Result<Read, EngineError> {
        let began = Instant::now();
        let read = self.select_events(after, place).await;
        self.ended("events", began, &read);
        read.map_err(nothing_happened)
    }

    /// Up to `place`: nobody is told of what the keeper has not seen.
    async fn select_events(&self, after: u64, place: u64) -> Result<Read, StoreError> {
        let sql = format!(
            "SELECT least(last_place, $3) AS through, forgotten_place, {} FROM coordinator LEFT JOIN LATERAL \
             (SELECT * FROM events WHERE place > $1 AND place <= least(last_place, $3) ORDER BY place LIMIT $2) AS events \
             ON true ORDER BY place",
            events::COLUMNS
        );
        let mut connection = self.acquire().await?;
        // All who watch wait for this.
        let selecting = async {
            let rows = query(AssertSqlSafe(sql)).bind(to_bigint(after)).bind(BATCH);
            let rows = rows.bind(to_bigint(place));
            Ok(rows.fetch_all(connection.server()?).await?)
        };
        let rows = self.answered(selecting).await;
        connection.keep_unless_gone(&rows);
        let rows = rows?;
        let mut read = Read {
            groups: Vec::new(),
            through: after,
            forgotten: 0,
        };
        let mut last = 0;
        for row in &rows {
            read.forgotten = count(row.try_get("forgotten_place")?)?;
            last = count(row.try_get("through")?)?;
            if let Some(place) = row.try_get::<Option<i64>, _>("place")? {
                read.through = count(place)?;
                read.groups.extend(events::read(row)?.map(Arc::new));
            }
        }
        if rows.len() < usize::try_from(BATCH).unwrap_or(usize::MAX) {
            read.through = read.through.max(last);
        }
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use zephyrfs_core::event::{Change, EventGroup, FileChanged};
    use zephyrfs_core::units::{AppliedIndex, Timestamp};

    use super::{KEPT, Recent};

    fn group(index: u64, changes: usize) -> Arc<EventGroup> {
        let change = Change::File("f".into(), FileChanged::Deleted);
        Arc::new(EventGroup {
            index: AppliedIndex::new(index),
            at: Timestamp::EPOCH,
            changes: vec![change; changes].into(),
        })
    }

    #[test]
    fn a_cut_answer_says_where_to_go_on_and_a_whole_one_how_far_it_reaches() {
        let mut recent = Recent::default();
        recent.restart(10);
        recent.add(vec![group(12, 2), group(13, 2)], 20);
        let some = recent.after(AppliedIndex::new(10), 1);
        assert_eq!((some.groups.len(), some.through), (1, AppliedIndex::new(12)));
        let all = recent.after(some.through, 10);
        assert_eq!((all.groups.len(), all.through), (1, AppliedIndex::new(20)));
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many_and_the_last_never() {
        let mut recent = Recent::default();
        recent.add(vec![group(1, 1), group(2, KEPT), group(3, KEPT + 1)], 3);
        assert_eq!((recent.after, recent.groups.len()), (2, 1));
    }
}
