//! A snapshot takes the place of the state while the state is in use.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::executor::block_on;
use openraft::storage::{RaftStateMachine, SnapshotMeta};
use zephyrfs_core::row::Row;
use zephyrfs_core::units::AppliedIndex;

use super::{
    RECEIVER, SENDER, TestMachine, apply, content, digest, fill, give, id_of, open, parts_after, send,
    threads, view_of,
};
use crate::disk::{Files, Memory};
use crate::log::log_id_from_record;
use crate::machine::{SnapshotView, StateStore, WatchError};
use crate::tests::support::{file, node};

async fn receive(view: &SnapshotView, to: &StateStore) -> SnapshotView {
    let incoming = to.receive(id_of(view)).await.unwrap();
    give(incoming, parts_after(view, None).await).await.unwrap()
}

#[test]
fn readers_of_the_old_state_read_it_to_the_end_and_then_its_space_is_free() {
    let directory = tempfile::TempDir::new().unwrap();
    let disk = Files::new(directory.path().join("coordinator.db")).unwrap();
    block_on(async {
        let receiver = open(&disk, RECEIVER, &threads());
        fill(&receiver, 30, 200).await;
        let (_, mut dump) = receiver.dump().unwrap();
        let old = view_of(&receiver);
        let mut parts = old.parts(None).unwrap();
        let old_content = content(&old);
        let mut rows = dump.next().await.unwrap().unwrap().len();
        assert!(parts.next().await.is_some());

        let sender = open(&Memory::default(), SENDER, &threads());
        fill(&sender, 10, 20).await;
        send(&view_of(&sender), &receiver).await;
        assert_eq!(digest(&sender), digest(&receiver));
        assert_eq!(nameless_files(directory.path()), 1, "the old state is being read");

        while let Some(batch) = dump.next().await {
            rows += batch.unwrap().len();
        }
        assert_eq!(
            rows,
            3 + 3 + 30 + 30 * 200,
            "nodes, beats, files and chunks of the old state"
        );
        while let Some(part) = parts.next().await {
            part.unwrap();
        }
        assert_eq!(content(&old), old_content);
        drop((old, dump, parts));
        // The workers that read end a moment after their readers.
        until_no_file_is_nameless(directory.path());

        let reopened = digest(&receiver);
        receiver.close().await.unwrap();
        drop(receiver);
        assert_eq!(digest(&open(&disk, RECEIVER, &threads())), reopened);
    });
}

/// Files that were in a directory, are there no more, and are open.
fn nameless_files(directory: &std::path::Path) -> usize {
    let directory = directory.canonicalize().unwrap();
    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    open.filter_map(|file| std::fs::read_link(file.unwrap().path()).ok())
        .filter(|path| path.starts_with(&directory) && path.to_string_lossy().ends_with("(deleted)"))
        .count()
}

fn until_no_file_is_nameless(directory: &std::path::Path) {
    let begun = Instant::now();
    while nameless_files(directory) > 0 {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "an old state is still open"
        );
        std::thread::yield_now();
    }
}

#[test]
fn writes_flushes_and_dumps_go_on_while_a_snapshot_arrives_and_after_it_is_installed() {
    block_on(async {
        let sender = open(&Memory::default(), SENDER, &threads());
        fill(&sender, 40, 50).await;
        let view = view_of(&sender);
        let receiver = open(&Memory::default(), RECEIVER, &threads());
        fill(&receiver, 2, 2).await;
        let version = receiver.read().registry().version();

        let mut incoming = receiver.receive(id_of(&view)).await.unwrap();
        let mut snapshot = None;
        for (number, part) in parts_after(&view, None).await.into_iter().enumerate() {
            apply(&receiver, file(&format!("own-{number}"), 3));
            receiver.flush_soon();
            match part {
                crate::machine::Part::Rows(bytes) => incoming.take(bytes).await.unwrap(),
                crate::machine::Part::End(bytes) => {
                    snapshot = Some(incoming.finish(bytes).await.unwrap());
                    break;
                }
            }
        }
        // These were never written to disk, and nobody may see them over the snapshot.
        apply(&receiver, node("n-own"));
        super::install(snapshot.unwrap(), &receiver).await;
        assert_eq!(digest(&sender), digest(&receiver));
        assert!(
            receiver.read().registry().version() > version + 1,
            "caches of the nodes notice"
        );
        assert!(!receiver.read().is_dirty());
        let index = AppliedIndex::new(receiver.applied_index());
        let before = AppliedIndex::new(index.get() - 1);
        assert!(matches!(
            receiver.events_now(before, 1),
            Err(WatchError::TooOld { oldest }) if oldest == index
        ));
        assert_eq!(receiver.events_now(index, 1).unwrap().through, index);

        for number in 0..10 {
            let id = format!("later-{number}");
            apply(&sender, file(&id, 4));
            apply(&receiver, file(&id, 4));
            receiver.flush().await.unwrap();
        }
        sender.flush().await.unwrap();
        assert_eq!(digest(&sender), digest(&receiver));
        assert_eq!(content(&view_of(&sender)), content(&view_of(&receiver)));
        let (_, mut dump) = receiver.dump().unwrap();
        let mut files = 0;
        while let Some(batch) = dump.next().await {
            files += batch
                .unwrap()
                .iter()
                .filter(|row| matches!(row, Row::File(..)))
                .count();
        }
        assert_eq!(files, 50);
        receiver.close().await.unwrap();
    });
}

#[test]
fn one_snapshot_after_another_is_installed() {
    let directory = tempfile::TempDir::new().unwrap();
    let disk = Files::new(directory.path().join("coordinator.db")).unwrap();
    block_on(async {
        let sender = open(&Memory::default(), SENDER, &threads());
        fill(&sender, 1, 1).await;
        let receiver = open(&disk, RECEIVER, &threads());
        for round in 0..4 {
            apply(&sender, file(&format!("round-{round}"), 5));
            sender.flush().await.unwrap();
            send(&view_of(&sender), &receiver).await;
            assert_eq!(digest(&sender), digest(&receiver));
        }
        // What was replaced is closed a moment after it is said that it is replaced.
        until_no_file_is_nameless(directory.path());
        receiver.close().await.unwrap();
    });
}

#[test]
fn the_state_machine_takes_what_was_received_and_also_a_view_of_another_replica() {
    block_on(async {
        let sender = open(&Memory::default(), SENDER, &threads());
        fill(&sender, 6, 6).await;
        for received in [true, false] {
            let receiver = open(&Memory::default(), RECEIVER, &threads());
            let mut machine = TestMachine::new(Arc::clone(&receiver), Arc::default(), RECEIVER);
            let view = view_of(&sender);
            let meta = SnapshotMeta {
                last_log_id: view
                    .header()
                    .unwrap()
                    .applied
                    .map(log_id_from_record::<openraft::TokioRuntime>),
                ..SnapshotMeta::default()
            };
            let snapshot = if received {
                receive(&view, &receiver).await
            } else {
                view
            };
            machine.install_snapshot(&meta, snapshot).await.unwrap();
            assert_eq!(digest(&sender), digest(&receiver));
            let (applied, _) = machine.applied_state().await.unwrap();
            assert_eq!(applied, meta.last_log_id);
            assert_eq!(receiver.read().header().raft_id, RECEIVER);
        }
    });
}

#[test]
fn nothing_is_installed_after_a_failure() {
    block_on(async {
        let sender = open(&Memory::default(), SENDER, &threads());
        fill(&sender, 6, 6).await;
        let receiver = open(&Memory::default(), RECEIVER, &threads());
        let snapshot = receive(&view_of(&sender), &receiver).await;
        let header = snapshot.header().unwrap();
        receiver.fail("a test".to_owned());
        receiver.install(snapshot, header).await.unwrap_err();
        assert_eq!(receiver.read().header().applied, None);
    });
}
