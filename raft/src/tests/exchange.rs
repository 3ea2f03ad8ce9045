//! Rows that leave for another engine, and come from one.

use std::path::Path;

use openraft::TokioRuntime;
use proptest::test_runner::{Config, TestRunner};
use tempfile::TempDir;
use zephyrfs_core::command::DeleteFile;
use zephyrfs_core::conformance::sequences;
use zephyrfs_core::engine::Engine;
use zephyrfs_core::id::{ChunkId, FileId};
use zephyrfs_core::model::Model;
use zephyrfs_core::row::Row;
use zephyrfs_core::units::{AppliedIndex, Timestamp};
use zephyrfs_core::{Command, DumpDigest, Dumper};

use super::support::{
    PATIENCE, TestEngine, file, node, options, proposal, start, start_with, timing, try_start,
};
use crate::disk::{DatabaseKind, Disk, Files, Memory};
use crate::error::StoreError;
use crate::exchange::{Imported, Importer, StoppedReplica};
use crate::recover_files;

fn disk(directory: &Path) -> Files {
    Files::new(directory.join("coordinator.db")).unwrap()
}

fn import<D: Disk>(disk: &D, rows: &[Row], index: u64) -> Result<Imported, StoreError> {
    let mut importer = Importer::begin_on::<TokioRuntime>(disk.clone())?;
    for row in rows {
        importer.add(row.clone())?;
    }
    let peer = options((), timing()).peer;
    importer.finish_on::<TokioRuntime>(AppliedIndex::new(index), &peer)
}

fn rows_of<D: Disk>(disk: &D) -> Vec<Row> {
    let mut rows = Vec::new();
    let replica = StoppedReplica::open_on::<TokioRuntime, _>(disk).unwrap();
    let mut take = |row| {
        rows.push(row);
        true
    };
    replica.dump(&mut take).unwrap();
    rows
}

fn digest_of(rows: &[Row]) -> DumpDigest {
    let mut dumper = Dumper::default();
    for row in rows {
        dumper.add(row).unwrap();
    }
    dumper.digest()
}

async fn rows_in(engine: &TestEngine<Files>) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut take = |row| {
        rows.push(row);
        true
    };
    engine.dump(&mut take).await.unwrap();
    rows
}

/// Files of other chunks that share some, in a replica whose state is far behind its log.
async fn filled(directory: &Path) -> TestEngine<Files> {
    let engine = start_with(disk(directory), |timing| timing.flush = PATIENCE * 60).await;
    for id in ["n1", "n2", "n3"] {
        engine.execute(node(id), PATIENCE).await.unwrap();
    }
    for number in 0..20 {
        engine
            .execute(file(&format!("f{number}"), 30), PATIENCE)
            .await
            .unwrap();
    }
    engine
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_replica_gives_all_rows_up_to_the_end_of_its_log_and_stays_as_it_is() {
    let directory = TempDir::new().unwrap();
    let engine = filled(directory.path()).await;
    let running = StoppedReplica::open(&disk(directory.path())).err().unwrap();
    assert!(matches!(running, StoreError::Locked { .. }), "{running}");
    // What a crash leaves: the log has it all, and the state nothing yet.
    let crashed = TempDir::new().unwrap();
    for name in ["coordinator.db", "coordinator.log.db"] {
        std::fs::copy(directory.path().join(name), crashed.path().join(name)).unwrap();
    }
    let left = |name: &str| std::fs::read(crashed.path().join(name)).unwrap();
    let before = (left("coordinator.db"), left("coordinator.log.db"));
    let crashed_disk = disk(crashed.path());
    let rows = rows_of(&crashed_disk);
    assert_eq!(before, (left("coordinator.db"), left("coordinator.log.db")));
    assert_eq!(
        rows.len(),
        3 + 3 + 20 + 20 * 30,
        "nodes, heartbeats, files, chunks"
    );

    let replica = StoppedReplica::open(&crashed_disk).unwrap();
    assert_eq!((replica.name(), replica.others()), ("alone", &[][..]));
    assert_eq!(replica.index(), engine.status().applied);
    assert_eq!((replica.totals().files, replica.totals().chunks), (20, 600));
    assert_eq!(digest_of(&rows), digest_of(&rows_in(&engine).await));
    engine.stop().await.unwrap();
    drop(engine);
    assert_eq!(digest_of(&rows), digest_of(&rows_of(&disk(directory.path()))));
}

#[test]
fn there_is_nothing_to_export_where_no_replica_was() {
    let empty = StoppedReplica::open_on::<TokioRuntime, _>(&Memory::default()).err();
    let empty = empty.unwrap();
    assert!(matches!(empty, StoreError::NothingToExport { .. }), "{empty}");
}

#[test]
fn any_rows_that_the_rules_make_are_imported_as_they_are() {
    let mut runner = TestRunner::new(Config {
        cases: Config::default().cases.min(64),
        failure_persistence: None,
        ..Config::default()
    });
    let result = runner.run(&sequences(), |sequence| {
        let mut model = Model::default();
        for (index, envelope) in sequence.steps() {
            // A refused command is part of the sequence, too.
            let _ = model.apply(envelope, index);
        }
        let rows = model.rows();
        let disk = Memory::default();
        import(&disk, &rows, 7).unwrap();
        let replica = StoppedReplica::open_on::<TokioRuntime, _>(&disk).unwrap();
        // One of the import, one that makes the member.
        assert_eq!(replica.index(), AppliedIndex::new(9));
        assert_eq!(replica.totals(), model.totals());
        let read = rows_of(&disk);
        assert_eq!((read.len(), digest_of(&read)), (rows.len(), digest_of(&rows)));
        assert!(!disk.exists(DatabaseKind::Staging).unwrap());
        Ok(())
    });
    if let Err(failure) = result {
        panic!("{failure}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_replica_is_the_only_member_of_a_new_cluster_and_goes_on() {
    let source = TempDir::new().unwrap();
    let engine = filled(source.path()).await;
    let (rows, index) = (rows_in(&engine).await, engine.status().applied);
    let old_cluster = engine.status().cluster_id;
    engine.stop().await.unwrap();

    let directory = TempDir::new().unwrap();
    let imported = import(&disk(directory.path()), &rows, index.get()).unwrap();
    assert_ne!(imported.cluster_id, old_cluster);
    let engine = start(disk(directory.path())).await;
    assert_eq!(digest_of(&rows_in(&engine).await), digest_of(&rows));
    let status = engine.status();
    assert_eq!(
        (status.cluster_id, status.members.len()),
        (imported.cluster_id, 1)
    );
    let written = engine.execute(file("more", 2), PATIENCE).await.unwrap();
    assert!(written.index > index, "{} after {index}", written.index);
    // Who watched the other service cannot go on here: what changed in between is not known.
    let watched = engine.events(index, 10, PATIENCE).await.err();
    assert!(watched.is_some());
    engine.stop().await.unwrap();
    drop(engine);

    let again = import(&disk(directory.path()), &rows, 1).unwrap_err();
    assert!(matches!(again, StoreError::NotEmpty { .. }), "{again}");
    let engine = start(disk(directory.path())).await;
    assert_eq!(engine.totals().value.files, 21, "after a restart");
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_not_whole_are_refused_and_leave_nothing() {
    let source = TempDir::new().unwrap();
    let engine = filled(source.path()).await;
    let rows = rows_in(&engine).await;
    engine.stop().await.unwrap();

    let directory = TempDir::new().unwrap();
    let disk = disk(directory.path());
    let names = || {
        let entries = std::fs::read_dir(directory.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let refused = |rows: &[Row], reason: &str| {
        let error = import(&disk, rows, 1).unwrap_err();
        assert!(matches!(error, StoreError::Unfit { .. }), "{error}");
        assert!(error.to_string().contains(reason), "{error}");
        // The log was held, and is nobody's.
        assert_eq!(names(), ["coordinator.log.db"]);
    };
    let is_chunk = |row: &Row| matches!(row, Row::Chunk(..));
    let chunk = rows.iter().position(is_chunk).unwrap();
    let mut fewer = rows.clone();
    fewer.remove(chunk);
    refused(&fewer, "which is missing");
    let mut twice = rows.clone();
    let Row::Node(id, mut other) = rows[0].clone() else {
        panic!("no node comes first");
    };
    other.registered_at = Timestamp::EPOCH;
    twice.insert(1, Row::Node(id, other));
    refused(&twice, "not the same are read back");
    let mut late = rows.clone();
    late.push(Row::Sharer(ChunkId::from("c"), FileId::from("f"), 0));
    late.push(rows[chunk].clone());
    refused(&late, "come after what follows them");
    let no_nodes: Vec<Row> = rows
        .iter()
        .filter(|row| !matches!(row, Row::Node(..)))
        .cloned()
        .collect();
    refused(&no_nodes, "no node n1");
    let error = import(&disk, &rows, u64::MAX).unwrap_err().to_string();
    assert!(error.contains("no index follows"), "{error}");

    // No server takes the directory for an empty one; an import starts over.
    let server = try_start(disk.clone()).await.err().unwrap().to_string();
    assert!(server.contains("run `coordinator import` again"), "{server}");
    let export = StoppedReplica::open(&disk).err().unwrap();
    assert!(matches!(export, StoreError::Importing { .. }), "{export}");
    let recovery = recover_files(&disk, &options((), timing()).peer, false)
        .err()
        .unwrap();
    assert!(matches!(recovery, StoreError::Importing { .. }), "{recovery}");
    import(&disk, &rows, 1).unwrap();
    let engine = start(disk.clone()).await;
    assert_eq!(engine.totals().value.files, 20);
    engine.stop().await.unwrap();
    assert_eq!(names(), ["coordinator.db", "coordinator.log.db"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_of_a_file_that_is_gone_are_imported_with_the_release_that_is_to_let_them_go() {
    let source = TempDir::new().unwrap();
    let engine = start(disk(source.path())).await;
    for id in ["n1", "n2", "n3"] {
        engine.execute(node(id), PATIENCE).await.unwrap();
    }
    // So many chunks that deleting the file does not let go of all of them.
    engine.execute(file("f", 2_500), PATIENCE).await.unwrap();
    let delete = Command::DeleteFile(DeleteFile {
        file: FileId::from("f"),
    });
    engine.execute(proposal(delete), PATIENCE).await.unwrap();
    let rows = rows_in(&engine).await;
    engine.stop().await.unwrap();
    let is_left = |row: &&Row| matches!(row, Row::Chunk(_, chunk) if chunk.home.is_some());
    assert!(rows.iter().any(|row| matches!(row, Row::Release(..))));
    assert_ne!(rows.iter().filter(is_left).count(), 0);

    let directory = TempDir::new().unwrap();
    import(&disk(directory.path()), &rows, 1).unwrap();
    assert_eq!(digest_of(&rows_of(&disk(directory.path()))), digest_of(&rows));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_comes_in_between_an_import_and_its_end() {
    let source = TempDir::new().unwrap();
    let engine = filled(source.path()).await;
    let rows = rows_in(&engine).await;
    engine.stop().await.unwrap();

    let directory = TempDir::new().unwrap();
    let disk = disk(directory.path());
    let mut begun = Importer::begin(disk.clone()).unwrap();
    for row in &rows {
        begun.add(row.clone()).unwrap();
    }
    let second = Importer::begin(disk.clone()).err().unwrap();
    assert!(matches!(second, StoreError::Locked { .. }), "{second}");
    let server = try_start(disk.clone()).await.err().unwrap().to_string();
    assert!(server.contains("is locked"), "{server}");
    let peer = options((), timing()).peer;
    begun.finish(AppliedIndex::new(9), &peer).unwrap();
    assert_eq!(digest_of(&rows_of(&disk)), digest_of(&rows));
}
