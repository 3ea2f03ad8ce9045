//! Feeds one watcher: asks the engine what changed, and hands over what the watcher wants, no faster than it takes it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};
use zephyrfs_core::Engine;
use zephyrfs_core::engine::{Events, EventsError};
use zephyrfs_core::event::EventGroup;
use zephyrfs_core::units::AppliedIndex;

use super::details::Watched;
use super::filter::Filter;
use super::refused;
use super::watchers::{CutOff, Place};
use crate::service::error::ServiceError;

/// So many changes are asked for at a time. They are shared with the engine, not copied.
const BATCH: usize = 256;

/// A watcher that was told nothing for so long is told how far this replica is, so that it need not go back far, and so that
/// somebody notices if it has gone.
const SILENCE: Duration = Duration::from_secs(10);

/// A watcher that takes nothing for so long is given up: until then what it is to take next stays in memory. One that takes a
/// little now and then is given what was asked for only as long as it would be told of it still.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often it is looked whether this replica hears of a leader, while nothing changes.
const LOOK: Duration = Duration::from_secs(2);

/// A replica that has heard of no leader for so long, some elections, may be cut off, or out of the cluster: nothing changes
/// there any more, and its watchers would take that for peace.
const ASTRAY: Duration = Duration::from_secs(5);

/// Who has everything waits so long for more, so that many watchers are not woken for every single command.
const PACE: Duration = Duration::from_millis(5);

/// One watcher's feed.
pub(super) struct Feed {
    pub(super) engine: Arc<dyn Engine>,
    /// Given up with the feed: what waits for the watcher by then is little, and may wait for long.
    pub(super) place: Place,
    pub(super) filter: Filter,
    /// The watcher's own.
    pub(super) deadline: Option<Instant>,
    pub(super) give: mpsc::Sender<Watched>,
    /// Everything up to here was handed over.
    pub(super) after: AppliedIndex,
    /// When the engine last had what changed after that.
    pub(super) known: Instant,
    /// Since when this replica hears of no leader, if so.
    pub(super) astray: Option<Instant>,
}

/// Why a feed ends.
enum End {
    /// The watcher has gone.
    Left,
    /// Its own time is over.
    Late,
    /// The coordinator ends it.
    CutOff(CutOff, ServiceError),
}

impl Feed {
    /// Feeds the watcher until it leaves or is cut off: then why, with where to go on.
    pub(super) async fn run(mut self) -> Option<ServiceError> {
        match self.feed().await {
            End::Left => None,
            End::Late => Some(ServiceError::DeadlineExceeded {
                reason: format!("the watcher's time is over; watch again after {}", self.after),
            }),
            End::CutOff(reason, error) => {
                self.place.cut_off(reason);
                Some(error)
            }
        }
    }

    async fn feed(&mut self) -> End {
        // Tells the watcher where its watch begins.
        let mut told = Instant::now();
        if let Err(end) = self.hand_over(Watched::through(self.after)).await {
            return end;
        }
        loop {
            let until = (told + SILENCE).min(Instant::now() + LOOK);
            let Events { groups, through } = match self.ask(until).await {
                Ok(events) => events,
                Err(end) => return end,
            };
            if through > self.after {
                self.astray = None;
            } else if let Err(end) = self.look_for_a_leader() {
                return end;
            }
            let has_everything = groups.iter().map(|group| group.changes.len()).sum::<usize>() < BATCH;
            // One after the other is let go of: the engine may have forgotten it by then.
            for group in groups {
                match self.give_group(&group).await {
                    Ok(true) => told = Instant::now(),
                    Ok(false) => {}
                    Err(end) => return end,
                }
            }
            self.after = through;
            if told.elapsed() >= SILENCE {
                if let Err(end) = self.hand_over(Watched::through(through)).await {
                    return end;
                }
                told = Instant::now();
            }
            if has_everything && let Err(end) = self.unless_ended(sleep(PACE)).await {
                return end;
            }
        }
    }

    /// What changed next; nothing at `until` at the latest.
    async fn ask(&mut self, until: Instant) -> Result<Events, End> {
        let within = until.saturating_duration_since(Instant::now());
        let events = self.events(BATCH, within).await?;
        self.known = Instant::now();
        Ok(events)
    }

    async fn events(&self, limit: usize, within: Duration) -> Result<Events, End> {
        let events = self.engine.events(self.after, limit, within);
        self.unless_ended(events).await?.map_err(|error| {
            let reason = match error {
                EventsError::TooOld { .. } => CutOff::TooOld,
                EventsError::Engine(_) => CutOff::Engine,
            };
            End::CutOff(reason, refused(self.after, error))
        })
    }

    /// Nothing changes where nobody leads, and that is not to be taken for peace.
    fn look_for_a_leader(&mut self) -> Result<(), End> {
        let status = self.engine.status();
        if status.leader.is_some() {
            self.astray = None;
            return Ok(());
        }
        let since = *self.astray.get_or_insert_with(Instant::now);
        if since.elapsed() < ASTRAY {
            return Ok(());
        }
        let reason = status
            .not_ready
            .unwrap_or_else(|| "there is no leader".to_owned());
        let error = self.interrupted(format!("this replica may be behind: {reason}"));
        Err(End::CutOff(CutOff::Engine, error))
    }

    /// Hands over what the watcher wants of a group; whether there was anything.
    async fn give_group(&mut self, group: &EventGroup) -> Result<bool, End> {
        let last = group
            .changes
            .iter()
            .rposition(|change| self.filter.passes(change));
        for (position, change) in group.changes.iter().enumerate() {
            if self.filter.passes(change) {
                let item = Watched::change(group, change, Some(position) == last);
                self.hand_over(item).await?;
                self.place.sent();
                if self.known.elapsed() >= PATIENCE {
                    self.events(1, Duration::ZERO).await?;
                    self.known = Instant::now();
                }
            }
        }
        self.after = group.index;
        Ok(last.is_some())
    }

    /// Hands one thing over, as soon as the watcher takes it.
    async fn hand_over(&self, item: Watched) -> Result<(), End> {
        if let Err(mpsc::error::TrySendError::Full(item)) = self.give.try_send(item) {
            let taken = tokio::time::timeout(PATIENCE, self.give.send(item));
            if self.unless_ended(taken).await?.is_err() {
                let error = self.interrupted(format!("nothing was taken for {} s", PATIENCE.as_secs()));
                return Err(End::CutOff(CutOff::Stalled, error));
            }
        }
        Ok(())
    }

    /// Waits for something, unless the watch ends first.
    async fn unless_ended<T>(&self, something: impl Future<Output = T>) -> Result<T, End> {
        let deadline = async {
            match self.deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.give.closed() => Err(End::Left),
            () = self.place.stopping() => {
                let error = self.interrupted("this replica stops".to_owned());
                Err(End::CutOff(CutOff::Stopping, error))
            }
            () = deadline => Err(End::Late),
            done = something => Ok(done),
        }
    }

    fn interrupted(&self, reason: String) -> ServiceError {
        ServiceError::WatchInterrupted {
            reason,
            resume_after: self.after,
        }
    }
}
