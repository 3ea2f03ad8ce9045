//! Who leads.

use std::time::{Duration, Instant};

use sqlx::{Connection as _, Executor as _, PgConnection};
use zephyrfs_core::engine::{Engine as _, EngineError};

use super::support::{
    PATIENCE, database, eventually, file, leader, options, register_nodes, sql, start, start_with,
};
use crate::engine::{Search, give_places};

#[tokio::test(flavor = "multi_thread")]
async fn one_instance_leads_and_another_takes_over_when_it_stops() {
    let url = database("handover");
    let (one, other) = (start(&url, "one").await, start(&url, "other").await);
    let first = leader(&[&one, &other]).await;
    let second = if first.status().leads && one.status().leads {
        &other
    } else {
        &one
    };
    assert!(!second.status().leads);
    let epoch = first.status().term;
    first.hand_over().await;
    assert!(!first.status().leads);
    eventually("the second leads", || second.status().leads).await;
    assert!(second.status().term > epoch);
    one.stop().await;
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_was_replaced_stops_leading_and_gives_no_places_any_more() {
    let url = database("replaced");
    let one = start(&url, "one").await;
    leader(&[&one]).await;
    register_nodes(&one).await;
    eventually("all have places", || one.totals().index.get() == 4).await;
    let old = one.status().term;
    // As if it had been paused for long, and another process had taken the lease meanwhile.
    sql(
        "replaced",
        "UPDATE coordinator SET leader = 'third', leader_epoch = leader_epoch + 1, leader_until = now() + interval '1 hour'",
    );
    eventually("it does not lead any more", || !one.status().leads).await;
    let status = one.status();
    assert_eq!(status.leader.as_deref(), Some("third"));
    one.execute(file("f", 1), PATIENCE).await.unwrap();
    let mut connection = PgConnection::connect(&url).await.unwrap();
    assert_eq!(
        give_places(&mut connection, old, Search::Lately).await.unwrap(),
        0
    );
    assert_eq!(
        sql("replaced", "SELECT count(*) FROM events WHERE place IS NULL"),
        "1"
    );
    let all = Search::All { within: PATIENCE };
    assert_eq!(give_places(&mut connection, old + 1, all).await.unwrap(), 1);
    eventually("what happened is counted", || one.totals().value.files == 1).await;
    // What the third left long ago is found as soon as it leads again, not when it would have looked for such the next time.
    sql(
        "replaced",
        "INSERT INTO events (event_id, happened_at, written_at, about_nodes, changes, totals_delta) \
         VALUES (gen_random_uuid(), now(), now() - interval '1 hour', false, '\\x00', '{0,0,0,0,1,0,0,0,0}')",
    );
    sql("replaced", "UPDATE coordinator SET leader_until = now()");
    let again = Instant::now();
    eventually("that is counted, too", || one.totals().value.files == 2).await;
    assert!(again.elapsed() < PATIENCE / 2, "{:?}", again.elapsed());
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_leads_or_serves_while_an_import_is_under_way() {
    let url = database("importing");
    let engine = start(&url, "one").await;
    leader(&[&engine]).await;
    let epoch = "SELECT leader_epoch FROM coordinator";
    let before: u64 = sql("importing", epoch).parse().unwrap();
    // The import holds the row until the lease is over, and somebody is about to take it.
    let mut import = PgConnection::connect(&url).await.unwrap();
    import
        .execute("BEGIN; UPDATE coordinator SET leader_epoch = leader_epoch + 1")
        .await
        .unwrap();
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'importing' AND wait_event_type = 'Lock' \
        AND query LIKE 'UPDATE coordinator SET leader = %'";
    eventually("somebody waits for the row", || sql("importing", waits) == "1").await;
    import
        .execute("INSERT INTO imports VALUES (true, now()); COMMIT")
        .await
        .unwrap();
    eventually("it says why it does not serve", || {
        let reason = engine.status().not_ready;
        reason.is_some_and(|reason| reason.contains("an import into this database is under way"))
    })
    .await;
    assert_eq!(sql("importing", epoch), (before + 1).to_string());
    let refused = engine.execute(file("f", 1), PATIENCE).await.unwrap_err();
    assert!(matches!(refused, EngineError::Unavailable { .. }), "{refused:?}");
    sql("importing", "DELETE FROM imports");
    eventually("it leads again", || engine.status().leads).await;
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_of_one_name_do_not_both_lead() {
    let url = database("namesakes");
    let (one, other) = (start(&url, "same").await, start(&url, "same").await);
    leader(&[&one, &other]).await;
    for _ in 0..20 {
        assert!(!(one.status().leads && other.status().leads));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (leading, following) = if one.status().leads {
        (&one, &other)
    } else {
        (&other, &one)
    };
    following.stop().await;
    assert!(leading.status().leads, "the lease was not its to give back");
    leading.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_changed_is_forgotten_after_a_while_and_who_is_too_far_behind_is_told() {
    let url = database("forgotten");
    let mut own = options(&url, "one");
    own.keep_events = Duration::from_millis(1);
    let one = start_with(own).await;
    leader(&[&one]).await;
    register_nodes(&one).await;
    eventually("all have places", || one.totals().index.get() == 4).await;
    let begun = std::time::Instant::now();
    loop {
        let events = one
            .events(zephyrfs_core::units::AppliedIndex::new(0), 10, Duration::ZERO)
            .await;
        match events {
            Err(zephyrfs_core::engine::EventsError::TooOld { oldest }) => {
                assert_eq!(oldest.get(), 4);
                break;
            }
            Err(zephyrfs_core::engine::EventsError::Engine(EngineError::Unavailable { reason })) => {
                panic!("{reason}")
            }
            other => assert!(begun.elapsed() < PATIENCE, "{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(sql("forgotten", "SELECT count(*) FROM events"), "0");
    one.stop().await;
}
