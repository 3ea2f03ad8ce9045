//! What this instance knows of the service without asking.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;
use zephyrfs_core::Totals;
use zephyrfs_core::engine::{EngineStatus, Member};
use zephyrfs_core::units::{AppliedIndex, Timestamp};

use super::start::PostgresEngine;
use crate::columns::Uuid;

/// An instance is not asked any more when it has not reached the database for so long.
const SILENCE: Duration = Duration::from_secs(3);

/// Trouble that lasts no longer than this is none: requests find out by themselves whether they are concerned.
const HICCUP: Duration = Duration::from_millis(300);

/// What the keeper saw last.
#[derive(Debug, Clone, Default)]
pub(super) struct Observed {
    pub(super) service_id: String,
    pub(super) place: u64,
    /// The event that has this place, if it is not forgotten.
    pub(super) event: Option<Uuid>,
    pub(super) forgotten: u64,
    pub(super) totals: Totals,
    pub(super) leader: Option<String>,
    pub(super) leader_address: Option<Arc<str>>,
    pub(super) epoch: u64,
    pub(super) instances: Vec<Instance>,
    /// When the database answered last; `None` if it never did.
    pub(super) at: Option<Instant>,
    /// What is wrong with it.
    pub(super) trouble: Option<Trouble>,
    /// Why it could not be used when this instance began, and never will.
    pub(super) unusable: Option<String>,
    /// The service that this instance served until its rows were gone: it serves no others.
    pub(super) gone: Option<String>,
}

/// What is wrong with the database.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    pub(super) reason: String,
    pub(super) since: Instant,
    /// It said so itself, and nobody is to try.
    pub(super) is_certain: bool,
}

/// An instance that was heard of late.
#[derive(Debug, Clone)]
pub(super) struct Instance {
    pub(super) name: String,
    pub(super) address: String,
    pub(super) is_heard: bool,
}

impl Observed {
    /// Whether the database has ever answered.
    pub(super) const fn is_ready(&self) -> bool {
        self.at.is_some()
    }

    /// Why the database should not be asked now.
    pub(super) fn obstacle(&self) -> Option<String> {
        if let Some(reason) = &self.unusable {
            return Some(format!("the database cannot be used: {reason}"));
        }
        let is_silent = self.at.is_none_or(|at| at.elapsed() > SILENCE);
        match &self.trouble {
            // A connection that broke once is soon replaced by another.
            Some(trouble) => {
                let counts = trouble.is_certain || is_silent || trouble.since.elapsed() >= HICCUP;
                counts.then(|| trouble.reason.clone())
            }
            None if self.at.is_none() => Some("connecting to the database".to_owned()),
            None if is_silent => Some(format!(
                "the database has not answered for {} s",
                SILENCE.as_secs()
            )),
            None => None,
        }
    }
}

/// What changes in between.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Until when this instance leads, and in which epoch.
    lease: Mutex<Option<(u64, Instant)>>,
    /// When all events without a place were looked for last, also over connections that are gone.
    searched: Mutex<Option<Instant>>,
    /// Told when the lease is given back.
    pub(super) hand_over_done: Notify,
    /// How far the database's clock is ahead of this machine's, in milliseconds.
    clock_offset: AtomicI64,
}

impl Shared {
    fn lease(&self) -> MutexGuard<'_, Option<(u64, Instant)>> {
        self.lease.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn lead(&self, epoch: u64, until: Instant) {
        *self.lease() = Some((epoch, until));
    }

    pub(super) fn stop_leading(&self) {
        *self.lease() = None;
    }

    /// Whether it is time to look for all events without a place, `every` so often.
    pub(super) fn is_to_search_all(&self, every: Duration) -> bool {
        let searched = *self.searched.lock().unwrap_or_else(PoisonError::into_inner);
        searched.is_none_or(|searched| searched.elapsed() >= every)
    }

    /// All of them had been looked for at a time; `None` if nobody knows, since another led.
    pub(super) fn searched_all(&self, at: Option<Instant>) {
        *self.searched.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    /// The epoch in which this instance leads, if it does.
    pub(super) fn leads_in(&self) -> Option<u64> {
        let lease = *self.lease();
        lease
            .filter(|(_, until)| Instant::now() < *until)
            .map(|(epoch, _)| epoch)
    }

    /// The database's clock was seen to show a time.
    pub(super) fn set_clock(&self, database: Timestamp) {
        let ahead = database.as_millis().cast_signed() - here().cast_signed();
        self.clock_offset.store(ahead, Ordering::Relaxed);
    }

    /// The database's clock, as far as it is known.
    pub(super) fn now(&self) -> Timestamp {
        let offset = self.clock_offset.load(Ordering::Relaxed);
        Timestamp::from_millis(here().saturating_add_signed(offset))
    }
}

fn here() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl PostgresEngine {
    pub(super) fn engine_status(&self) -> EngineStatus {
        let seen = self.observed.borrow().clone();
        let leads = self.shared.leads_in();
        let index = AppliedIndex::new(seen.place);
        let not_ready = seen.obstacle();
        // Without the database nobody is of use, whoever is there.
        let is_of_use = |instance: &Instance| instance.is_heard && not_ready.is_none();
        let heard = seen
            .instances
            .iter()
            .filter(|instance| is_of_use(instance))
            .count();
        EngineStatus {
            engine: "postgres",
            cluster_id: seen.service_id.clone(),
            leader: seen.leader.clone().filter(|_| not_ready.is_none()),
            leader_address: seen
                .leader_address
                .as_deref()
                .map(str::to_owned)
                .filter(|_| not_ready.is_none()),
            leads: leads.is_some(),
            term: leads.unwrap_or(seen.epoch),
            committed: index,
            applied: index,
            failure_tolerance: u32::try_from(heard.saturating_sub(1)).unwrap_or(u32::MAX),
            members: seen
                .instances
                .iter()
                .map(|instance| member(instance, is_of_use(instance)))
                .collect(),
            not_ready,
            failed: seen.unusable,
        }
    }
}

fn member(instance: &Instance, is_of_use: bool) -> Member {
    Member {
        name: instance.name.clone(),
        raft_id: 0,
        // Any of them may lead.
        voter: true,
        address: instance.address.clone(),
        healthy: is_of_use,
        lag: 0,
    }
}

/// Totals from their column. A count below zero would be a defect; it is shown as none.
pub(super) fn totals_of(counts: &[i64]) -> Totals {
    let mut totals = [0; Totals::COUNTS];
    for (total, count) in totals.iter_mut().zip(counts) {
        *total = u64::try_from(*count).unwrap_or_default();
    }
    Totals::from_counts(totals)
}
