//! Looks how far the service is, and who leads.

use std::sync::atomic::Ordering;
use std::time::Instant;

use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Row as _, query};

use super::keeper::Kept;
use super::places::uncounted;
use super::start::PostgresEngine;
use super::status::{Observed, totals_of};
use crate::columns::{Time, Uuid, count, to_bigint};
use crate::error::StoreError;
use crate::schema::{self, Missing, SchemaError};

/// After a step back the places go on so far behind what this instance saw: others may have seen more, by what had been given
/// places between two looks.
const STRIDE: i64 = 1_000_000;

/// What a look finds of the row that all instances have in common.
struct Found {
    row: PgRow,
    service_id: String,
    place: u64,
    event: Option<Uuid>,
    /// The event that has the place now which was the last one when this instance looked before.
    event_before: Option<Uuid>,
    forgotten: u64,
    epoch: u64,
}

impl PostgresEngine {
    /// Looks once.
    pub(super) async fn observe(&self, kept: &mut Kept) -> Result<(), StoreError> {
        let known = self.observed.borrow().clone();
        let own = self.own.ids();
        let mut found = self.find(kept, &known).await?;
        if is_behind(&found, &known) {
            self.stop_leading(kept);
            if !schema::is_whole(&mut kept.connection).await? {
                return Err(self.note_gone(&known.service_id));
            }
            tracing::error!(
                seen = known.place,
                found = found.place,
                "The database lacks changes that it had: an older backup was restored, or a standby promoted that had not got \
                 all. What was acknowledged in between is lost; watchers are told to read everything anew"
            );
            go_on_behind(kept, &known).await?;
            found = self.find(kept, &known).await?;
        }
        self.connections.serve(&found.service_id);
        let row = &found.row;
        self.shared.set_clock(row.try_get::<Time, _>("now_at")?.0);
        if row.try_get("nodes_changed")? {
            self.registry_version.fetch_add(1, Ordering::Relaxed);
        }
        let is_led: bool = row.try_get("is_led")?;
        let leader: Option<String> = row.try_get("leader")?;
        let address: Option<String> = row.try_get("leader_address")?;
        let mut totals: Vec<i64> = row.try_get("totals")?;
        // Also what nobody gave a place yet, for want of somebody who leads.
        let uncounted: Vec<i64> = row.try_get("uncounted")?;
        totals
            .iter_mut()
            .zip(uncounted)
            .for_each(|(total, more)| *total += more);
        let leads_here = |epoch| epoch == found.epoch && leader.as_ref() == Some(&self.options.name);
        if self.shared.leads_in().is_some_and(|epoch| !leads_here(epoch)) {
            self.stop_leading(kept);
        }
        let instances = match self.instances(kept).await {
            // Others may take this instance for gone meanwhile, to no effect on requests.
            Err(error @ StoreError::Full(_)) => {
                kept.note_full(&error);
                None
            }
            instances => instances?,
        };
        let seen = Observed {
            service_id: found.service_id,
            place: found.place,
            event: found.event,
            forgotten: found.forgotten,
            totals: totals_of(&totals),
            leader: leader.filter(|_| is_led),
            leader_address: address
                .filter(|address| is_led && !address.is_empty())
                .map(Into::into),
            epoch: found.epoch,
            instances: instances.unwrap_or(known.instances),
            at: Some(Instant::now()),
            trouble: None,
            unusable: None,
            gone: None,
        };
        let mut was = Observed::default();
        self.own.counted(&own, || was = self.observed.send_replace(seen));
        if was.trouble.is_some() && was.at.is_some() {
            tracing::info!("The database answers again");
        }
        Ok(())
    }

    /// Reads the row. It has to be that of the service which this instance serves, and no import may be under way.
    async fn find(&self, kept: &mut Kept, known: &Observed) -> Result<Found, StoreError> {
        let sql = format!(
            "SELECT clock_timestamp() AS now_at, service_id, totals, last_place, forgotten_place, leader, leader_address, \
             leader_epoch, leader_until > clock_timestamp() AS is_led, \
             $1 > 0 AND (forgotten_place > $1 OR EXISTS (SELECT 1 FROM events WHERE place > $1 AND about_nodes)) AS nodes_changed, \
             (SELECT event_id FROM events WHERE place = last_place) AS last_event, \
             (SELECT event_id FROM events WHERE place = $1) AS event_before, \
             EXISTS (SELECT 1 FROM imports) AS is_imported, {} AS uncounted FROM coordinator",
            uncounted()
        );
        let found = query(AssertSqlSafe(sql))
            .bind(to_bigint(known.place))
            .fetch_optional(&mut kept.connection)
            .await;
        let row = match found {
            Ok(Some(row)) => row,
            Ok(None) => return Err(self.note_gone(&known.service_id)),
            Err(error) if schema::is_without_table(&error) => {
                return Err(self
                    .judge_missing(&mut kept.connection, known, error.into())
                    .await?);
            }
            Err(error) => return Err(error.into()),
        };
        // It began while this instance was cut off, or paused.
        if row.try_get("is_imported")? {
            self.stop_leading(kept);
            return Err(self.judge(SchemaError::Importing));
        }
        let service_id: String = row.try_get("service_id")?;
        if !known.service_id.is_empty() && known.service_id != service_id {
            return Err(self.note_gone(&known.service_id));
        }
        Ok(Found {
            service_id,
            place: count(row.try_get("last_place")?)?,
            event: row.try_get("last_event")?,
            event_before: row.try_get("event_before")?,
            forgotten: count(row.try_get("forgotten_place")?)?,
            epoch: count(row.try_get("leader_epoch")?)?,
            row,
        })
    }

    /// This instance leads no more, if it did.
    pub(super) fn stop_leading(&self, kept: &mut Kept) {
        if self.shared.leads_in().is_some() {
            tracing::info!("This instance leads no more: the lease is not its own");
        }
        self.shared.stop_leading();
        kept.epoch = None;
    }

    /// What becomes of an instance that finds no tables, as the database's error says.
    pub(super) async fn judge_missing(
        &self,
        connection: &mut PgConnection,
        known: &Observed,
        error: StoreError,
    ) -> Result<StoreError, StoreError> {
        Ok(match schema::missing(connection).await? {
            Missing::Back => error,
            Missing::Gone if known.service_id.is_empty() => error,
            Missing::Gone => self.note_gone(&known.service_id),
            Missing::Hidden => StoreError::Unusable(format!(
                "the tables of cluster {} are out of sight: grant the user USAGE on their schema, and see that search_path names it",
                known.service_id
            )),
            Missing::Changed(found) => self.judge(SchemaError::Newer { found }),
        })
    }

    /// The rows that this instance serves are not there, nor is the lease. It serves none any more.
    pub(super) fn note_gone(&self, service_id: &str) -> StoreError {
        self.shared.stop_leading();
        // One that never looked knows of no rows.
        if !service_id.is_empty() {
            self.observed
                .send_modify(|seen| seen.gone = Some(service_id.to_owned()));
        }
        schema::gone(service_id)
    }
}

/// Whether the database lacks what it had when this instance looked last: somebody restored an older backup, or promoted a standby
/// that had not got everything.
fn is_behind(found: &Found, known: &Observed) -> bool {
    // Others may have gone on from there, so that places are as high again.
    let is_another = found.forgotten < known.place
        && known.event.is_some()
        && found.event_before.is_some()
        && known.event != found.event_before;
    found.place < known.place || found.epoch < known.epoch || is_another
}

/// Goes on with what there is: nobody has more. Places begin anew behind those that any instance told anybody of, so that whoever
/// watches hears that he has missed something, and what instances remember is read again.
async fn go_on_behind(kept: &mut Kept, known: &Observed) -> Result<(), StoreError> {
    query(
        "UPDATE coordinator SET last_place = greatest(last_place, $1) + $3, forgotten_place = greatest(last_place, $1) + $3, \
         leader_epoch = greatest(leader_epoch, $2) WHERE only_row",
    )
    .bind(to_bigint(known.place))
    .bind(to_bigint(known.epoch))
    .bind(STRIDE)
    .execute(&mut kept.connection)
    .await?;
    Ok(())
}
