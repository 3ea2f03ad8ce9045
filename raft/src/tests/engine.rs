//! The engine over real files and in memory.

use std::time::Duration;

use futures::future::join_all;
use tempfile::TempDir;
use zephyrfs_core::engine::{Consistency, Engine, EngineError, Freshness};
use zephyrfs_core::id::FileId;
use zephyrfs_core::{Command, ReadSet, Rejection, Response};

use super::support::{PATIENCE, file, node, start, start_with};
use crate::disk::{DatabaseKind, Files, Memory, open_database};
use crate::kv::{Base, Layer, Table};

const FRESH: Freshness = Freshness {
    consistency: Consistency::Linearizable,
    at_least: None,
    max_staleness: None,
};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_an_orderly_restart() {
    let directory = TempDir::new().unwrap();
    let disk = || Files::new(directory.path().join("coordinator.db")).unwrap();
    let engine = start(disk()).await;
    for id in ["n1", "n2", "n3"] {
        engine.execute(node(id), PATIENCE).await.unwrap();
    }
    let registered = engine.execute(file("f1", 40), PATIENCE).await.unwrap();
    assert!(
        matches!(&registered.value, Response::FileRegistered { placements, .. } if placements.len() == 40)
    );
    engine.stop().await.unwrap();
    drop(engine);

    let engine = start(disk()).await;
    let reads = ReadSet {
        files: vec![FileId::from("f1")],
        ..ReadSet::default()
    };
    let view = engine.view(reads, FRESH).await.unwrap();
    assert!(view.index >= registered.index);
    assert_eq!(view.value.files[&FileId::from("f1")].chunks.len(), 40);
    assert_eq!(engine.totals().value.chunks, 40);
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn many_concurrent_writes_all_take_effect_once() {
    let engine = start(Memory::default()).await;
    for id in ["n1", "n2", "n3"] {
        engine.execute(node(id), PATIENCE).await.unwrap();
    }
    let writes = (0..500).map(|number| engine.execute(file(&format!("f{number}"), 8), PATIENCE));
    let mut indexes: Vec<_> = join_all(writes)
        .await
        .into_iter()
        .map(|done| done.unwrap().index)
        .collect();
    indexes.sort_unstable();
    indexes.dedup();
    assert_eq!(indexes.len(), 500, "each write has an index of its own");
    assert_eq!(
        (engine.totals().value.files, engine.totals().value.chunks),
        (500, 4_000)
    );
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_command_says_why_and_where() {
    let engine = start(Memory::default()).await;
    let refused = engine.execute(file("f1", 1), PATIENCE).await.unwrap_err();
    let EngineError::Rejected { rejection, index } = refused else {
        panic!("not a rejection: {refused}")
    };
    assert!(matches!(rejection, Rejection::PlacementStale { .. }));
    assert!(index.get() > 0);
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_purged_behind_what_is_durable() {
    let directory = TempDir::new().unwrap();
    let disk = || Files::new(directory.path().join("coordinator.db")).unwrap();
    let engine = start_with(disk(), |timing| timing.snapshot_every = 50).await;
    for number in 0..400 {
        engine
            .execute(node(&format!("n{number}")), PATIENCE)
            .await
            .unwrap();
    }
    engine.stop().await.unwrap();
    drop(engine);
    let engine = start_with(disk(), |timing| timing.snapshot_every = 50).await;
    assert!(
        engine.log.is_purged(),
        "nothing was purged in 400 entries with a snapshot every 50"
    );
    assert_eq!(engine.totals().value.nodes(), 400);
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_keeps_no_more_bytes_than_it_may_however_few_entries() {
    const MIB: u64 = 1 << 20;
    let disk = Memory::default();
    let engine = start_with(disk.clone(), |timing| timing.keep_entries = 1_000_000).await;
    for id in ["n1", "n2", "n3"] {
        engine.execute(node(id), PATIENCE).await.unwrap();
    }
    for number in 0..60 {
        engine
            .execute(file(&format!("f{number}"), 700), PATIENCE)
            .await
            .unwrap();
    }
    let written = engine.log.kept_bytes();
    assert!(written > 3 * MIB, "{written}");
    assert!(!engine.log.is_purged());
    let bounded = async {
        while engine.log.kept_bytes() > 2 * MIB {
            engine.bound_log(2 * MIB).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, bounded).await.unwrap();
    let kept = engine.log.kept_bytes();
    assert!(kept >= MIB, "{kept} is more than was asked for");
    engine.stop().await.unwrap();
    drop(engine);

    let engine = start_with(disk, |timing| timing.keep_entries = 1_000_000).await;
    let estimate = engine.log.kept_bytes();
    assert!((kept / 2..kept * 2).contains(&estimate), "{estimate}, not {kept}");
    assert_eq!(engine.totals().value.files, 60);
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_a_newer_version_is_refused() {
    let disk = Memory::default();
    let engine = start(disk.clone()).await;
    engine.execute(node("n1"), PATIENCE).await.unwrap();
    engine.stop().await.unwrap();
    drop(engine);
    let database = open_database(&disk, DatabaseKind::State, 1 << 20).unwrap();
    let mut newer = Layer::default();
    newer.set(Table::Meta, b"format", Some([99].as_slice().into()));
    Base::commit(&database, &newer).unwrap();
    drop(database);

    let error = super::support::try_start(disk).await.err().unwrap().to_string();
    assert!(
        error.contains("has format 99") && error.contains("newer coordinator"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_without_its_log_does_not_start() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("coordinator.db");
    let engine = start(Files::new(path.clone()).unwrap()).await;
    engine.execute(node("n1"), PATIENCE).await.unwrap();
    engine.stop().await.unwrap();
    drop(engine);
    std::fs::remove_file(directory.path().join("coordinator.log.db")).unwrap();

    let error = super::support::try_start(Files::new(path).unwrap())
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(error.contains("belong to different replicas"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_of_many_batches_is_whole() {
    let engine = start(Memory::default()).await;
    for id in ["n1", "n2", "n3"] {
        engine.execute(node(id), PATIENCE).await.unwrap();
    }
    for number in 0..20 {
        engine
            .execute(file(&format!("f{number}"), 100), PATIENCE)
            .await
            .unwrap();
    }
    let mut rows = 0;
    let index = engine
        .dump(&mut |_| {
            rows += 1;
            true
        })
        .await
        .unwrap();
    assert_eq!(rows, 3 + 3 + 20 + 2_000, "nodes, beats, files and chunks");
    assert_eq!(index, engine.totals().index);
    let mut some = 0;
    engine
        .dump(&mut |_| {
            some += 1;
            some < 300
        })
        .await
        .unwrap();
    assert_eq!(some, 300, "a reader that has enough is asked no further");
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_files_with_very_many_chunks_is_short_and_says_that_there_is_more() {
    let engine = start(Memory::default()).await;
    for id in ["n1", "n2", "n3"] {
        engine.execute(node(id), PATIENCE).await.unwrap();
    }
    for number in 0..4 {
        engine
            .execute(file(&format!("f{number}"), 30_000), PATIENCE)
            .await
            .unwrap();
    }
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = engine.files(after.clone(), 1_000, FRESH).await.unwrap().value;
        assert!(
            page.items.len() <= 3,
            "a page of {} files of 30,000 chunks",
            page.items.len()
        );
        seen.extend(page.items.into_iter().map(|(id, _)| id.to_string()));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, ["f0", "f1", "f2", "f3"]);
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_whose_making_was_cut_short_is_made_anew() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("coordinator.db");
    for file in ["coordinator.db", "coordinator.log.db"] {
        std::fs::write(directory.path().join(file), vec![0; 8_192]).unwrap();
    }
    let engine = start(Files::new(path).unwrap()).await;
    engine.execute(node("n1"), PATIENCE).await.unwrap();
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_a_scan_is_bounded_even_where_files_share_their_chunks() {
    let engine = start(Memory::default()).await;
    for id in ["n1", "n2", "n3"] {
        engine.execute(node(id), PATIENCE).await.unwrap();
    }
    let mut first = file("f", 16);
    engine.execute(first.clone(), PATIENCE).await.unwrap();
    for number in 0..100 {
        let Command::RegisterFile(shared) = &mut first.command else {
            panic!("{first:?}");
        };
        shared.file = FileId::from(format!("g{number}"));
        first.id = node("unused").id;
        engine.execute(first.clone(), PATIENCE).await.unwrap();
    }
    let (mut parts, mut chunks, mut cursor) = (0, 0, None);
    loop {
        let part = engine.scan_chunks(cursor, 8).await.unwrap();
        parts += 1;
        chunks += part.items.len();
        cursor = part.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(chunks, 16, "each chunk is seen once");
    assert!(parts > 40, "a part looked at {} segments", 101 / parts);
    engine.stop().await.unwrap();
}
