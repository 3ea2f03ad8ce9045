//! Many events that nobody gave places, for want of somebody who leads.

use std::time::Duration;

use sqlx::{Connection as _, Executor as _, PgConnection};
use zephyrfs_core::engine::Engine as _;

use super::support::{database, eventually, sql, start};
use crate::engine::{Search, give_places};
use crate::error::StoreError;

/// So many there are, half of them written long before the others.
const EVENTS: u64 = 200_000;

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_gave_places_is_counted_and_gets_them_in_the_order_of_time() {
    let url = database("backlog");
    start(&url, "one").await.stop().await;
    sql(
        "backlog",
        "UPDATE coordinator SET leader_epoch = leader_epoch + 1, leader_until = 'infinity'",
    );
    // Each registered a file, and changed nothing that somebody watches.
    let write = format!(
        "INSERT INTO events (event_id, happened_at, written_at, about_nodes, changes, totals_delta) \
         SELECT gen_random_uuid(), now(), now() - (number % 2) * interval '1 hour', false, '\\x00', '{{0,0,0,0,1,0,0,0,0}}' \
         FROM generate_series(1, {EVENTS}) AS number"
    );
    sql("backlog", &write);
    // While this goes on, all that gets a place stays in the index of what has none.
    let mut old = PgConnection::connect(&url).await.unwrap();
    old.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM events")
        .await
        .unwrap();
    let engine = start(&url, "other").await;
    eventually("some are counted already", || engine.totals().value.files > 0).await;
    let files = engine.totals().value.files;
    assert!(
        files < EVENTS / 2,
        "no look counts more than it has time for: {files}"
    );
    sql("backlog", "UPDATE coordinator SET leader_until = now()");
    eventually("all have places", || engine.totals().index.get() > EVENTS).await;
    assert_eq!(engine.totals().value.files, EVENTS);
    let first = "SELECT written_at < now() - interval '30 minutes', min(place), max(place) FROM events GROUP BY 1 ORDER BY 2";
    assert_eq!(sql("backlog", first), "t|2|100001\nf|100002|200001");
    assert!(engine.status().not_ready.is_none(), "{:?}", engine.status());
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let epoch = engine.status().term;
    let within = Duration::from_millis(1);
    let searched = give_places(&mut connection, epoch, Search::All { within }).await;
    assert!(matches!(searched, Err(StoreError::TooSlow)), "{searched:?}");
    // And the connection goes on.
    assert_eq!(
        give_places(&mut connection, epoch, Search::Lately).await.unwrap(),
        0
    );
    engine.stop().await;
}
