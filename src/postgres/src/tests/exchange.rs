//! Rows that leave for another engine, and come from one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use proptest::test_runner::{Config, TestRunner};
use zephyrfs_core::conformance::sequences;
use zephyrfs_core::engine::{Engine as _, EventsError};
use zephyrfs_core::model::Model;
use zephyrfs_core::row::{Row, users};
use zephyrfs_core::units::AppliedIndex;
use zephyrfs_core::{DumpDigest, Dumper, Totals};

use super::support::{
    PATIENCE, database, eventually, file, leader, node, refused, register_nodes, sql, start,
};
use super::ways::{Held, unsteady_way};
use crate::PostgresEngine;
use crate::exchange::{Access, ExchangeError, Export, Import};

fn access(url: &str) -> Access {
    Access {
        url: url.to_owned(),
        password: None,
        name: "test".to_owned(),
    }
}

async fn import(url: &str, rows: &[Row], index: u64) -> Result<(), ExchangeError> {
    let mut import = Import::begin(&access(url)).await?;
    for row in rows {
        import.add(row.clone()).await?;
    }
    let unanalyzed = import.finish(AppliedIndex::new(index)).await?;
    assert_eq!(unanalyzed, None);
    Ok(())
}

async fn export(url: &str) -> (Vec<Row>, AppliedIndex, Totals) {
    let export = Export::begin(&access(url)).await.unwrap();
    let (index, totals) = (export.index(), *export.totals());
    let mut rows = Vec::new();
    let mut take = |row| {
        rows.push(row);
        true
    };
    export.dump(&mut take).await.unwrap();
    (rows, index, totals)
}

fn digest_of(rows: &[Row]) -> DumpDigest {
    let mut dumper = Dumper::default();
    for row in rows {
        dumper.add(row).unwrap();
    }
    dumper.digest()
}

/// An instance with nodes and files, stopped when nobody else is to lead.
async fn filled(url: &str) -> Arc<PostgresEngine> {
    let engine = start(url, "a").await;
    register_nodes(&engine).await;
    for number in 0..20 {
        engine
            .execute(file(&format!("f{number}"), 30), PATIENCE)
            .await
            .unwrap();
    }
    engine
}

/// Rows of another service.
fn rows() -> Vec<Row> {
    let mut model = Model::default();
    for (index, proposal) in (1..).zip([node("n1"), node("n2"), node("n3"), file("f", 50)]) {
        let envelope = zephyrfs_core::Envelope {
            proposed_at: zephyrfs_core::units::Timestamp::from_millis(1_000 * index),
            proposal,
        };
        model.apply(&envelope, AppliedIndex::new(index)).unwrap();
    }
    model.rows()
}

#[test]
fn any_rows_that_the_rules_make_are_imported_and_exported_as_they_are() {
    let url = database("exchange");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut runner = TestRunner::new(Config {
        cases: Config::default().cases.min(64),
        failure_persistence: None,
        ..Config::default()
    });
    let last = std::cell::Cell::new(0);
    let result = runner.run(&sequences(), |sequence| {
        let mut model = Model::default();
        for (index, envelope) in sequence.steps() {
            // What no database of this kind can hold is not written into it.
            if !format!("{envelope:?}").contains("\\0") {
                // A refused command is part of the sequence, too.
                let _ = model.apply(envelope, index);
            }
        }
        let rows = model.rows();
        let last = {
            last.set(last.get() + 10);
            last.get()
        };
        runtime.block_on(import(&url, &rows, last)).unwrap();
        let (read, index, totals) = runtime.block_on(export(&url));
        assert_eq!((read.len(), digest_of(&read)), (rows.len(), digest_of(&rows)));
        assert_eq!((index, totals), (AppliedIndex::new(last + 1), *model.totals()));
        let mut lies = BTreeMap::<String, (u64, u64)>::new();
        for row in &rows {
            if let Row::Chunk(_, chunk) = row {
                for node in users(chunk) {
                    let (copies, bytes) = lies.entry(node.to_string()).or_default();
                    *copies += 1;
                    *bytes += chunk.size.get();
                }
            }
        }
        let counted = sql(
            "exchange",
            "SELECT node_id || ' ' || copies || ' ' || bytes FROM node_usage ORDER BY node_id",
        );
        let expected = lies
            .iter()
            .map(|(node, (copies, bytes))| format!("{node} {copies} {bytes}"));
        assert_eq!(counted, expected.collect::<Vec<_>>().join("\n"));
        let everything = "TRUNCATE nodes, heartbeats, files, chunks, chunk_replicas, chunk_sharers, releases, requests, tasks";
        sql("exchange", everything);
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_of_one_state_while_instances_write() {
    let url = database("export_of_one_state");
    let engine = filled(&url).await;
    let export = Export::begin(&access(&url)).await.unwrap();
    engine.execute(file("later", 30), PATIENCE).await.unwrap();
    let mut files = 0;
    let mut chunks = 0;
    let mut take = |row| {
        files += u64::from(matches!(row, Row::File(..)));
        chunks += u64::from(matches!(row, Row::Chunk(..)));
        true
    };
    export.dump(&mut take).await.unwrap();
    assert_eq!((files, chunks), (20, 600));
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_is_for_databases_without_rows_on_which_nobody_runs() {
    let url = database("import_refused");
    let rows = rows();
    let engine = start(&url, "a").await;
    leader(&[&engine]).await;
    let refused = import(&url, &rows, 1).await.unwrap_err().to_string();
    assert!(
        refused.starts_with("the instance a runs on this database: stop every instance, and import again"),
        "{refused}"
    );
    // One that does not lead runs as well.
    engine.hand_over().await;
    let refused = import(&url, &rows, 1).await.unwrap_err();
    assert!(
        matches!(&refused, ExchangeError::InUse(name) if name == "a"),
        "{refused}"
    );
    engine.execute(node("n"), PATIENCE).await.unwrap();
    engine.stop().await;
    let refused = import(&url, &rows, 1).await.unwrap_err();
    assert!(matches!(refused, ExchangeError::NotEmpty("nodes")), "{refused}");

    let url = database("import_of_two");
    start(&url, "a").await.stop().await;
    let epoch = "SELECT leader_epoch FROM coordinator";
    let before: u64 = sql("import_of_two", epoch).parse().unwrap();
    let first = Import::begin(&access(&url)).await.unwrap();
    let refused = import(&url, &rows, 1).await.unwrap_err();
    assert!(matches!(refused, ExchangeError::Locked), "{refused}");
    // Whoever led before and was asleep since renews nothing.
    assert_eq!(sql("import_of_two", epoch), (before + 1).to_string());
    drop(first);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_serves_an_import_that_was_cut_short_and_the_next_starts_over() {
    let url = database("import_cut_short");
    let rows = rows();
    let mut first = Import::begin(&access(&url)).await.unwrap();
    for row in &rows {
        first.add(row.clone()).await.unwrap();
    }
    // A row more than any import brings, as if it had got further.
    drop(first);
    sql(
        "import_cut_short",
        "INSERT INTO chunk_sharers VALUES ('c', 'f', 1)",
    );
    let reason = refused(&url).await;
    assert!(reason.contains("an import into this database"), "{reason}");
    assert!(Export::begin(&access(&url)).await.is_err());

    import(&url, &rows, 41).await.unwrap();
    let engine = start(&url, "a").await;
    let files = engine.totals().value.files;
    assert_eq!(files, 1);
    leader(&[&engine]).await;
    let written = engine.execute(file("more", 3), PATIENCE).await.unwrap();
    assert!(written.index >= AppliedIndex::new(42));
    // Who watched the other service cannot go on here: what changed in between is not known.
    let watched = engine.events(AppliedIndex::new(41), 10, PATIENCE).await;
    assert!(matches!(watched, Err(EventsError::TooOld { .. })), "{watched:?}");
    engine.stop().await;
    assert_eq!(export(&url).await.0.len(), rows.len() + 1 + 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_not_whole_are_refused() {
    let url = database("import_unfit");
    let mut rows = rows();
    let is_chunk = |row: &Row| matches!(row, Row::Chunk(..));
    let chunk = rows.iter().position(is_chunk).unwrap();
    let twice = rows[chunk].clone();
    rows.insert(chunk, twice);
    let refused = import(&url, &rows, 1).await.unwrap_err();
    assert!(matches!(refused, ExchangeError::Unfit(_)), "{refused}");
    rows.remove(chunk);
    // Rows that another brings meanwhile are seen at the end.
    let mut begun = Import::begin(&access(&url)).await.unwrap();
    for row in &rows {
        begun.add(row.clone()).await.unwrap();
    }
    sql("import_unfit", "INSERT INTO chunk_sharers VALUES ('c', 'f', 1)");
    let refused = begun.finish(AppliedIndex::new(1)).await.unwrap_err().to_string();
    assert!(refused.contains("not the same are read back"), "{refused}");
    import(&url, &rows, 1).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_instance_acknowledged_during_an_import_is_not_deleted() {
    let url = database("import_written");
    let rows = rows();
    let (way, plan) = unsteady_way(&url).await;
    let engine = start(&way, "a").await;
    leader(&[&engine]).await;
    engine.hand_over().await;
    // It sleeps when the import looks for it, in the middle of a commit.
    plan.commits_to_hold.store(1, Ordering::SeqCst);
    let writing = {
        let engine = Arc::clone(&engine);
        tokio::spawn(async move { engine.execute(node("n9"), PATIENCE).await })
    };
    eventually("it commits", || plan.held.load(Ordering::SeqCst) == 1).await;
    let asleep = async || {
        sql("import_written", "DELETE FROM instances");
        Import::begin(&access(&url)).await
    };
    let began = Instant::now();
    let mut begun = loop {
        match asleep().await {
            Ok(begun) => break begun,
            Err(ExchangeError::InUse(_)) => assert!(began.elapsed() < PATIENCE),
            Err(error) => panic!("{error}"),
        }
    };
    let kept = "SELECT count(*) FROM nodes WHERE node_id = 'n9'";
    plan.held_are.send_replace(Held::HandedOver);
    eventually("it is committed", || sql("import_written", kept) == "1").await;
    for row in &rows {
        begun.add(row.clone()).await.unwrap();
    }
    let refused = begun.finish(AppliedIndex::new(1)).await.unwrap_err();
    assert!(matches!(refused, ExchangeError::Unfit(_)), "{refused}");
    engine.stop().await;
    writing.abort();
    sql("import_written", "DELETE FROM instances");
    let again = import(&url, &rows, 1).await.unwrap_err();
    assert!(matches!(again, ExchangeError::Written), "{again}");
    assert_eq!(sql("import_written", kept), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_lost_its_lock_counts_for_nothing() {
    let url = database("import_unlocked");
    let rows = rows();
    let mut begun = Import::begin(&access(&url)).await.unwrap();
    for row in &rows {
        begun.add(row.clone()).await.unwrap();
    }
    let holder = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
        WHERE datname = 'import_unlocked' AND state = 'idle in transaction'";
    assert_eq!(sql("postgres", holder), "1");
    begun.finish(AppliedIndex::new(1)).await.unwrap_err();
    assert_eq!(sql("import_unlocked", "SELECT count(*) FROM imports"), "1");
    import(&url, &rows, 1).await.unwrap();
}
