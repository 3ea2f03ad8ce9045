//! Keeps what this instance knows of the service up to date, and holds the lease while it can.
//!
//! It has a connection of its own: when all others are busy, the lease is not lost for it.

use std::time::{Duration, Instant};

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor as _, query_scalar};
use tokio::sync::watch;

use super::lease::{Holder, give_back};
use super::start::{Ending, PostgresEngine, StartError, new_service_id};
use super::status::Trouble;
use crate::connect;
use crate::error::StoreError;
use crate::schema::{self, SchemaError};

/// The database is looked at so often.
const TICK: Duration = Duration::from_millis(100);

/// After a look that failed the next one comes later and later, up to this.
pub(super) const LONGEST_REST: Duration = Duration::from_secs(1);

/// A look that takes longer is given up, and the connection with it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Changes of the tables may take so long.
const CHANGING: Duration = Duration::from_secs(3_600);

/// What the keeper remembers between two looks.
pub(super) struct Kept {
    pub(super) connection: PgConnection,
    /// When the lease was taken or renewed over this connection.
    renewed: Option<Instant>,
    pub(super) present: Option<Instant>,
    /// When this instance said last that it is there, as the database has it.
    pub(super) said: Option<String>,
    /// When it last warned of another of the same name.
    pub(super) namesake: Option<Instant>,
    pub(super) forgot: Instant,
    /// The epoch in which this instance leads, or led at last.
    pub(super) epoch: Option<u64>,
    /// When the database last had no room for what this instance wanted to write.
    pub(super) full: Option<Instant>,
}

impl Kept {
    pub(super) fn note_full(&mut self, error: &StoreError) {
        if self.full.replace(Instant::now()).is_none() {
            tracing::warn!(%error, "Writes are refused while that lasts, and watchers are told nothing; reads go on");
        }
    }
}

impl PostgresEngine {
    /// Runs until it is told to close. Before that it is told to hand over: then it leads no more, and goes on observing.
    pub(super) async fn keep(&self, mut ending: watch::Receiver<Ending>) {
        let mut kept: Option<Kept> = None;
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut rest = TICK;
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = ending.wait_for(|ending| *ending == Ending::Closed) => break,
            }
            let may_lead = *ending.borrow() == Ending::NotYet;
            if !may_lead {
                self.give_up_leading(kept.as_mut()).await;
            }
            match self.look(&mut kept, may_lead).await {
                Ok(()) => rest = TICK,
                Err(error) => {
                    // Whatever it was, a new connection begins with nothing half done; and what others hold may be broken too.
                    kept = None;
                    self.connections.forget();
                    self.note_trouble(&error);
                    tokio::time::sleep(rest).await;
                    rest = (rest * 2).min(LONGEST_REST);
                }
            }
            self.connections.tidy();
            let (open, idle) = self.connections.counts();
            self.options.observer.connections(open, idle);
        }
        self.give_up_leading(kept.as_mut()).await;
        if let Some(kept) = &mut kept
            && let Err(error) = in_time(self.leave(&mut kept.connection)).await
        {
            tracing::debug!(%error, "The others were not told that this instance stops");
        }
    }

    /// Stops leading, and lets another lead at once.
    async fn give_up_leading(&self, kept: Option<&mut Kept>) {
        self.shared.stop_leading();
        if let Some(kept) = kept
            && let Some(epoch) = kept.epoch.take()
            && let Err(error) = in_time(give_back(&mut kept.connection, epoch)).await
        {
            tracing::warn!(%error, "The lease was not given back; another instance takes over when it ends");
        }
        self.shared.hand_over_done.notify_one();
    }

    fn note_trouble(&self, error: &StoreError) {
        let reason = error.to_string();
        self.observed.send_modify(|seen| {
            // It ends, and says so.
            if seen.unusable.is_some() {
                return;
            }
            let known = seen.trouble.as_ref();
            if known.is_none_or(|known| known.reason != reason) {
                tracing::warn!(%error, "The database cannot be used; requests are refused while that lasts");
            }
            seen.trouble = Some(Trouble {
                since: known.map_or_else(Instant::now, |known| known.since),
                is_certain: matches!(error, StoreError::Unusable(_)),
                reason,
            });
        });
    }

    /// Connects, if there is no connection, and looks once.
    async fn look(&self, kept: &mut Option<Kept>, may_lead: bool) -> Result<(), StoreError> {
        if let Some(service_id) = &self.observed.borrow().gone {
            return Err(schema::gone(service_id));
        }
        let kept = match kept {
            Some(kept) => kept,
            None => {
                let connection = self.enter().await?;
                let now = Instant::now();
                kept.insert(Kept {
                    connection,
                    renewed: None,
                    present: None,
                    said: None,
                    namesake: None,
                    forgot: now,
                    epoch: self.shared.leads_in(),
                    full: None,
                })
            }
        };
        let looking = async {
            self.observe(kept).await?;
            if !may_lead {
                return Ok(());
            }
            match self.lead(kept).await {
                // Whoever leads, or led, is busy with the row that says so: the next look will tell.
                Err(StoreError::Conflict(_)) => Ok(()),
                // Requests find out by themselves whether they are concerned: reading needs no room.
                Err(error @ StoreError::Full(_)) => {
                    kept.note_full(&error);
                    Ok(())
                }
                led => led,
            }
        };
        in_time(looking).await
    }

    /// A connection, once the tables are as this program needs them.
    async fn enter(&self) -> Result<PgConnection, StoreError> {
        // The server sets no limit: changes of the tables may take long.
        let connected = connect::connect(&self.connect, Duration::ZERO).await;
        let mut connection = connected.map_err(|error| self.judge(error.into()))?;
        let mut usable = in_time(async { Ok(schema::check(&mut connection).await) }).await?;
        let known = self.observed.borrow().clone();
        if matches!(usable, Err(SchemaError::Older)) && !known.service_id.is_empty() {
            let judging = async {
                let error = StoreError::Other(SchemaError::Older.to_string());
                self.judge_missing(&mut connection, &known, error).await
            };
            return Err(in_time(judging).await?);
        }
        if matches!(usable, Err(SchemaError::Older)) {
            let service_id = new_service_id();
            let preparing = schema::prepare(&mut connection, &service_id);
            let prepared = tokio::time::timeout(CHANGING, preparing).await;
            usable = prepared.unwrap_or_else(|_| Err(StoreError::no_answer(CHANGING).into()));
        }
        usable.map_err(|error| self.judge(error))?;
        if !known.service_id.is_empty() && !in_time(schema::is_whole(&mut connection)).await? {
            return Err(self.note_gone(&known.service_id));
        }
        in_time(self.settle(&mut connection)).await?;
        Ok(connection)
    }

    async fn settle(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        // Should this instance vanish in the middle of something, others are not to wait for it for long.
        let idle = format!(
            "SET idle_in_transaction_session_timeout = {}",
            self.options.lease.as_millis() / 2
        );
        connection.execute(AssertSqlSafe(idle)).await?;
        let writable: String = query_scalar("SHOW transaction_read_only")
            .fetch_one(connection)
            .await?;
        if writable == "on" {
            return Err(StoreError::ReadOnly(
                "it is a standby, or set to read-only".to_owned(),
            ));
        }
        Ok(())
    }

    /// What keeps this instance out: if it has never been in, and waiting does not help, it says so and ends.
    pub(super) fn judge(&self, error: SchemaError) -> StoreError {
        match StartError::of(error) {
            Ok(passing) => passing,
            Err(lasting) => {
                let reason = lasting.reason();
                self.observed.send_if_modified(|seen| {
                    let was_never_in = seen.at.is_none();
                    if was_never_in {
                        seen.unusable = Some(reason.clone());
                    }
                    was_never_in
                });
                StoreError::Unusable(reason)
            }
        }
    }

    /// Holds the lease, or takes it when nobody does; and does the work that comes with it.
    async fn lead(&self, kept: &mut Kept) -> Result<(), StoreError> {
        let holder = Holder {
            name: &self.options.name,
            address: &self.options.client_address,
            lease: self.options.lease,
        };
        let leads = self.shared.leads_in();
        let lease = match leads {
            Some(epoch) if !self.is_to_renew(kept) => {
                return self.work(kept, epoch).await;
            }
            Some(epoch) => holder.renew(&mut kept.connection, epoch).await?,
            // Asking for it keeps whoever holds it waiting.
            None if self.observed.borrow().leader.is_some() => None,
            None => holder.take(&mut kept.connection).await?,
        };
        let Some(lease) = lease else {
            self.stop_leading(kept);
            return Ok(());
        };
        kept.renewed = Some(Instant::now());
        kept.epoch = Some(lease.epoch);
        if leads != Some(lease.epoch) {
            tracing::info!(
                epoch = lease.epoch,
                "This instance leads: it looks after nodes and copies"
            );
            self.shared.searched_all(None);
            self.observed.send_modify(|seen| {
                seen.leader = Some(self.options.name.clone());
                seen.leader_address = Some(self.options.client_address.as_str().into());
                seen.epoch = lease.epoch;
            });
        }
        self.shared.lead(lease.epoch, lease.until);
        self.work(kept, lease.epoch).await
    }

    /// Whether it is time to hold the lease for longer.
    pub(super) fn is_to_renew(&self, kept: &Kept) -> bool {
        kept.renewed
            .is_none_or(|renewed| renewed.elapsed() >= self.options.lease / 4)
    }
}

/// What the server answers in a time in which it does if it is there at all.
async fn in_time<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let answered = tokio::time::timeout(PATIENCE, work).await;
    answered.unwrap_or_else(|_| Err(StoreError::no_answer(PATIENCE)))
}
