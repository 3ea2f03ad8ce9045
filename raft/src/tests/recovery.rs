//! Making a cluster of one out of what is left: what is refused, and what only looking leaves as it is.

use std::collections::BTreeMap;
use std::path::Path;

use tempfile::TempDir;
use zephyrfs_core::engine::Engine;

use super::support::{PATIENCE, TestEngine, node, options, start, start_with, timing};
use crate::disk::{DatabaseKind, Disk, Files};
use crate::error::StoreError;
use crate::recover_files;

fn disk(directory: &Path) -> Files {
    Files::new(directory.join("coordinator.db")).unwrap()
}

/// Every file in a directory, by name.
fn content(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = std::fs::read_dir(directory).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read(path).unwrap())
    });
    files.collect()
}

fn recover(directory: &Path, really: bool) -> Result<u64, StoreError> {
    let disk = disk(directory);
    let peer = options((), timing()).peer;
    recover_files(&disk, &peer, really).map(|recovered| recovered.last_index)
}

async fn fill(engine: &TestEngine<Files>, nodes: u32) {
    for number in 0..nodes {
        engine
            .execute(node(&format!("n{number}")), PATIENCE)
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_looking_changes_nothing() {
    let empty = TempDir::new().unwrap();
    let refused = recover(empty.path(), false).unwrap_err();
    assert!(
        matches!(refused, StoreError::NothingToRecover { .. }),
        "{refused}"
    );
    assert_eq!(content(empty.path()), BTreeMap::new());

    let directory = TempDir::new().unwrap();
    let engine = start(disk(directory.path())).await;
    fill(&engine, 10).await;
    // Nothing is written any more once the state is on disk.
    tokio::time::sleep(timing().flush * 10).await;
    // What a crash leaves: files that were not closed.
    let crashed = TempDir::new().unwrap();
    let left = content(directory.path());
    for (name, bytes) in &left {
        std::fs::write(crashed.path().join(name), bytes).unwrap();
    }
    engine.stop().await.unwrap();
    drop(engine);
    assert!(recover(crashed.path(), false).unwrap() >= 10);
    assert_eq!(content(crashed.path()), left);

    let state = disk(directory.path()).name(DatabaseKind::State);
    std::fs::remove_file(&state).unwrap();
    let left = content(directory.path());
    assert!(recover(directory.path(), false).unwrap() >= 10);
    assert_eq!(content(directory.path()), left, "without a state");

    // The log alone makes up the state, so this is a replica that starts.
    assert!(recover(directory.path(), true).unwrap() >= 10);
    let engine = start(disk(directory.path())).await;
    assert_eq!(engine.totals().value.nodes(), 10);
    engine.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purged_log_without_its_state_is_refused_and_stays_as_it_is() {
    let directory = TempDir::new().unwrap();
    let engine = start_with(disk(directory.path()), |timing| timing.snapshot_every = 50).await;
    fill(&engine, 400).await;
    assert!(engine.log.is_purged());
    engine.stop().await.unwrap();
    drop(engine);
    std::fs::remove_file(disk(directory.path()).name(DatabaseKind::State)).unwrap();
    let left = content(directory.path());
    for really in [false, true] {
        let refused = recover(directory.path(), really).unwrap_err();
        assert!(matches!(refused, StoreError::Mismatched { .. }), "{refused}");
    }
    // Opening it to write may have tidied the file, but it is the same log.
    assert_eq!(content(directory.path()).len(), left.len(), "a state was made");
    let refused = super::support::try_start(disk(directory.path())).await.err();
    assert!(
        refused
            .unwrap()
            .to_string()
            .contains("belong to different replicas"),
        "the start sees it in the same way"
    );
}
