//! Gives events their places, one after the other.
//!
//! Transactions commit in any order, so a number that each took for itself would leave gaps that fill later, and a reader who
//! goes by numbers would miss what fills them. Here only whoever leads gives numbers, to what is committed, and the numbers
//! become visible together with the last one that was given: what has a place up to that one is all there is.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Row as _, query, query_scalar};
use zephyrfs_core::Totals;

use crate::columns::{Uuid, to_bigint};
use crate::error::StoreError;
use crate::tables::events::Delta;

/// So many events get their places at once.
pub(super) const BATCH: usize = 2_000;

/// So many events are forgotten at once.
const FORGET: i64 = 5_000;

/// What was written lately, of what has no place. By the time of the statement, which is one for all rows: an index is only
/// searched for what is the same for all of them.
const LATELY: &str = "written_at > statement_timestamp() - interval '2 minutes'";

/// So many events without a place are counted, those that get theirs first: a look at all of them may take long.
const COUNTED: usize = 20_000;

/// As SQL, a list of what events without a place add to each of the totals.
pub(super) fn uncounted() -> String {
    let sums: Vec<String> = (1..=Totals::COUNTS)
        .map(|number| format!("coalesce(sum(totals_delta[{number}]), 0)::bigint"))
        .collect();
    format!(
        "(SELECT ARRAY[{}] FROM (SELECT totals_delta FROM events WHERE place IS NULL AND {LATELY} \
         ORDER BY written_at, event_id LIMIT {COUNTED}) AS first)",
        sums.join(", ")
    )
}

/// Among which events those are looked for that have no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Search {
    /// Among those that were written in the last minutes.
    Lately,
    /// Among all of them. What has its place stays in the index until no transaction is older, so that this may take long; it is
    /// given up then.
    All {
        /// After so long.
        within: Duration,
    },
}

/// Gives places to what is found that has none; answers how many it were. `epoch` is that of who leads: somebody who does not lead
/// any more changes nothing.
///
/// # Errors
/// The database's; [`StoreError::TooSlow`] if the search takes too long.
pub(crate) async fn give_places(
    connection: &mut PgConnection,
    epoch: u64,
    search: Search,
) -> Result<usize, StoreError> {
    let which = match search {
        Search::Lately => LATELY,
        Search::All { .. } => "true",
    };
    let sql = format!(
        "SELECT event_id, totals_delta FROM events WHERE place IS NULL AND {which} ORDER BY written_at, event_id LIMIT $1"
    );
    let mut transaction = connection.begin().await?;
    // The row is locked until the end, so nobody else takes the lease or gives places meanwhile.
    let kept: Option<(i64, Vec<i64>)> = sqlx::query_as(
        "SELECT last_place, totals FROM coordinator WHERE only_row AND leader_epoch = $1 FOR UPDATE",
    )
    .bind(epoch.cast_signed())
    .fetch_optional(&mut *transaction)
    .await?;
    let Some((last, mut totals)) = kept else {
        transaction.rollback().await?;
        return Ok(0);
    };
    if let Search::All { within } = search {
        limit_statements(&mut transaction, within).await?;
    }
    let rows = query(AssertSqlSafe(sql))
        .bind(to_bigint(BATCH as u64))
        .fetch_all(&mut *transaction)
        .await?;
    if let Search::All { .. } = search {
        limit_statements(&mut transaction, Duration::ZERO).await?;
    }
    if rows.is_empty() {
        transaction.rollback().await?;
        return Ok(0);
    }
    let mut sum: Delta = [0; Totals::COUNTS];
    let mut ids = Vec::with_capacity(rows.len());
    for row in &rows {
        ids.push(row.try_get::<Uuid, _>("event_id")?);
        let delta: Vec<i64> = row.try_get("totals_delta")?;
        sum.iter_mut().zip(delta).for_each(|(sum, delta)| *sum += delta);
    }
    totals.iter_mut().zip(sum).for_each(|(total, sum)| *total += sum);
    query(
        "WITH placed AS (UPDATE events SET place = $2 + given.number \
         FROM unnest($1::uuid[]) WITH ORDINALITY AS given(event_id, number) \
         WHERE events.event_id = given.event_id AND events.place IS NULL \
         RETURNING usage_nodes, usage_copies, usage_bytes) \
         INSERT INTO node_usage SELECT added.node_id, sum(added.copies), sum(added.bytes) FROM placed CROSS JOIN LATERAL \
         unnest(usage_nodes, usage_copies, usage_bytes) AS added(node_id, copies, bytes) GROUP BY added.node_id \
         ON CONFLICT (node_id) DO UPDATE SET copies = node_usage.copies + excluded.copies, \
         bytes = node_usage.bytes + excluded.bytes",
    )
    .bind(&ids)
    .bind(last)
    .execute(&mut *transaction)
    .await?;
    query("UPDATE coordinator SET last_place = $1, totals = $2 WHERE only_row")
        .bind(last + to_bigint(ids.len() as u64))
        .bind(&totals)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(ids.len())
}

/// Limits how long statements may take until the end of the transaction; zero is no limit.
async fn limit_statements(connection: &mut PgConnection, to: Duration) -> Result<(), StoreError> {
    let limit = format!("SET LOCAL statement_timeout = {}", to.as_millis());
    connection.execute(AssertSqlSafe(limit)).await?;
    Ok(())
}

/// Forgets events that are older than so many milliseconds; answers whether there may be more of them.
///
/// # Errors
/// The database's.
pub(crate) async fn forget(
    connection: &mut PgConnection,
    epoch: u64,
    older_than: i64,
) -> Result<bool, StoreError> {
    let mut transaction = connection.begin().await?;
    let last: Option<i64> = query_scalar(
        "SELECT max(place) FROM (SELECT place, happened_at FROM events \
         WHERE place > (SELECT forgotten_place FROM coordinator) ORDER BY place LIMIT $2) AS oldest \
         WHERE happened_at < clock_timestamp() - $1 * interval '1 millisecond'",
    )
    .bind(older_than)
    .bind(FORGET)
    .fetch_one(&mut *transaction)
    .await?;
    let Some(last) = last else {
        transaction.rollback().await?;
        return Ok(false);
    };
    // Where the database went back, more was forgotten meanwhile.
    let forgetting = "UPDATE coordinator SET forgotten_place = greatest(forgotten_place, $2) WHERE only_row AND leader_epoch = $1";
    let fenced = query(forgetting)
        .bind(epoch.cast_signed())
        .bind(last)
        .execute(&mut *transaction)
        .await?;
    if fenced.rows_affected() == 0 {
        transaction.rollback().await?;
        return Ok(false);
    }
    // There may be any number of what was forgotten then: it goes in parts, beside what is forgotten now.
    let deleting = "DELETE FROM events WHERE event_id IN (SELECT event_id FROM events WHERE place <= $1 ORDER BY place LIMIT $2)";
    let gone = query(deleting)
        .bind(last)
        .bind(2 * FORGET)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(to_bigint(gone.rows_affected()) >= FORGET)
}
