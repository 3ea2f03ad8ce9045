//! Snapshots arrive whole, whatever is in them and however often they are cut off.

use std::sync::Arc;

use futures::executor::block_on;
use futures::{FutureExt, StreamExt};
use openraft::type_config::AsyncRuntime;
use openraft_rt_sim::SimRuntime;
use proptest::collection::{btree_map, vec};
use proptest::prelude::{Strategy, any, prop_oneof};
use proptest::test_runner::{Config, TestRunner};

use super::{
    RECEIVER, SENDER, content, digest, fill, give, id_of, install, open, parts_after, send, threads, view_of,
};
use crate::disk::{DatabaseKind, Disk, Files, Memory, open_database};
use crate::kv::{Base, Layer, Table};
use crate::machine::{Part, Position, ReceiveError, StateStore};
use crate::workers::{Tasks, Workers};

/// Tables whose content nobody looks at when a state is opened.
const UNREAD: [Table; 6] = [
    Table::Files,
    Table::Segments,
    Table::ChunkIndex,
    Table::Orphans,
    Table::Releases,
    Table::Requests,
];

/// A replica with any rows at all.
fn replica_with(rows: &[(Table, Vec<u8>, Vec<u8>)]) -> Arc<StateStore> {
    let disk = Memory::default();
    let database = open_database(&disk, DatabaseKind::State, 8 << 20).unwrap();
    Base::create(&database).unwrap();
    let mut layer = Layer::default();
    for (table, key, value) in rows {
        layer.set(*table, key, Some(value.as_slice().into()));
    }
    Base::commit(&database, &layer).unwrap();
    drop(database);
    let store = open(&disk, SENDER, &threads());
    block_on(fill(&store, 3, 2));
    store
}

#[test]
fn any_rows_arrive_as_they_are() {
    let value = prop_oneof![
        vec(any::<u8>(), 0..40),
        (any::<u8>(), 100_000..700_000_usize).prop_map(|(byte, len)| vec![byte; len]),
        (any::<u8>(), 1_000_000..1_100_000_usize).prop_map(|(byte, len)| vec![byte; len]),
    ];
    let rows = btree_map((0..UNREAD.len(), vec(any::<u8>(), 0..6)), value, 0..24);
    let config = Config {
        cases: 48,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&rows, |rows| {
            let rows: Vec<_> = rows
                .into_iter()
                .map(|((table, key), value)| (UNREAD[table], key, value))
                .collect();
            let sender = view_of(&replica_with(&rows));
            let receiver = open(&Memory::default(), RECEIVER, &threads());
            block_on(send(&sender, &receiver));
            assert_eq!(content(&sender), content(&view_of(&receiver)));
            let mut header = sender.header().unwrap();
            header.raft_id = RECEIVER;
            assert_eq!(&header, receiver.read().header());
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_part_is_no_larger_than_it_should_be_unless_one_row_is() {
    let rows: Vec<_> = (0..40_u8)
        .map(|number| (Table::Files, vec![number], vec![number; 90_000]))
        .chain([(Table::Segments, vec![1], vec![1; 3 << 20])])
        .collect();
    let sender = view_of(&replica_with(&rows));
    let sizes: Vec<usize> = block_on(parts_after(&sender, None))
        .into_iter()
        .map(|part| match part {
            Part::Rows(bytes) | Part::End(bytes) => bytes.len(),
        })
        .collect();
    let large: Vec<&usize> = sizes.iter().filter(|&&size| size > 1 << 20).collect();
    assert_eq!(large.len(), 1, "{sizes:?}");
    assert!(
        sizes.iter().any(|&size| size > 900_000 && size <= 1 << 20),
        "parts are filled: {sizes:?}"
    );
}

#[test]
fn sending_goes_on_after_every_part_where_the_last_connection_ended() {
    let rows: Vec<_> = (0..60_u8)
        .map(|number| {
            (
                UNREAD[usize::from(number) % 6],
                vec![number],
                vec![number; 200_000],
            )
        })
        .collect();
    let sender = view_of(&replica_with(&rows));
    let all = block_on(parts_after(&sender, None));
    assert!(all.len() > 15, "{} parts", all.len());
    for cut in 0..all.len() {
        block_on(async {
            let receiver = open(&Memory::default(), RECEIVER, &threads());
            let mut first = receiver.receive(id_of(&sender)).await.unwrap();
            for part in &all[..cut] {
                let Part::Rows(bytes) = part else {
                    panic!("{part:?}")
                };
                first.take(bytes.clone()).await.unwrap();
            }
            drop(first);
            let second = receiver.receive(id_of(&sender)).await.unwrap();
            let position = second.position().map(Position::encode);
            assert_eq!(position.is_none(), cut == 0);
            let position = position.map(|bytes| Position::decode(&bytes).unwrap());
            let rest = parts_after(&sender, position).await;
            assert_eq!(rest, all[cut..], "after {cut} parts");
            install(give(second, rest).await.unwrap(), &receiver).await;
            assert_eq!(content(&sender), content(&view_of(&receiver)));
        });
    }
}

#[test]
fn an_older_connection_has_no_say_once_there_is_a_newer_one() {
    block_on(async {
        let sender = open(&Memory::default(), SENDER, &threads());
        fill(&sender, 20, 3).await;
        let view = view_of(&sender);
        let mut parts = parts_after(&view, None).await;
        let receiver = open(&Memory::default(), RECEIVER, &threads());
        let mut older = receiver.receive(id_of(&view)).await.unwrap();
        let Part::Rows(first) = parts.remove(0) else {
            panic!("no rows")
        };
        older.take(first.clone()).await.unwrap();
        let newer = receiver.receive(id_of(&view)).await.unwrap();
        assert!(newer.position().is_some());
        let refused = older.take(first).await.unwrap_err();
        assert!(matches!(refused, ReceiveError::Superseded), "{refused}");
        install(give(newer, parts).await.unwrap(), &receiver).await;
        assert_eq!(digest(&sender), digest(&receiver));
    });
}

#[test]
fn a_newer_snapshot_takes_the_place_of_an_older_until_one_is_complete() {
    let directory = tempfile::TempDir::new().unwrap();
    let disk = Files::new(directory.path().join("coordinator.db")).unwrap();
    block_on(async {
        let sender = open(&Memory::default(), SENDER, &threads());
        fill(&sender, 5, 3).await;
        let older = view_of(&sender);
        super::apply(&sender, crate::tests::support::file("more", 7));
        sender.flush().await.unwrap();
        let newer = view_of(&sender);
        let receiver = open(&disk, RECEIVER, &threads());

        let mut first = receiver.receive(id_of(&older)).await.unwrap();
        let mut parts = parts_after(&older, None).await.into_iter();
        let Some(Part::Rows(part)) = parts.next() else {
            panic!("no rows")
        };
        first.take(part).await.unwrap();
        let second = receiver.receive(id_of(&newer)).await.unwrap();
        assert_eq!(second.position(), None, "it begins anew");
        give(first, parts.collect()).await.err().unwrap();
        let complete = give(second, parts_after(&newer, None).await).await.unwrap();

        let busy = receiver.receive(id_of(&older)).await.err().unwrap();
        assert!(matches!(busy, ReceiveError::Busy), "{busy}");
        assert!(disk.size(DatabaseKind::Incoming) > 0);
        drop(complete);
        assert_eq!(disk.size(DatabaseKind::Incoming), 0, "given up, and deleted");
        send(&newer, &receiver).await;
        assert_eq!(digest(&sender), digest(&receiver));
        assert_eq!(disk.size(DatabaseKind::Incoming), 0);
        receiver.close().await.unwrap();
    });
}

#[test]
fn what_was_on_its_way_at_the_end_of_the_process_is_deleted() {
    let directory = tempfile::TempDir::new().unwrap();
    let disk = Files::new(directory.path().join("coordinator.db")).unwrap();
    std::fs::write(disk.name(DatabaseKind::Incoming), "half a snapshot").unwrap();
    let store = open(&disk, RECEIVER, &threads());
    assert_eq!(disk.size(DatabaseKind::Incoming), 0);
    let view = view_of(&replica_with(&[]));
    block_on(async {
        let incoming = store.receive(id_of(&view)).await.unwrap();
        assert!(disk.size(DatabaseKind::Incoming) > 0);
        store.close().await.unwrap();
        assert_eq!(disk.size(DatabaseKind::Incoming), 0);
        let refused = give(incoming, parts_after(&view, None).await)
            .await
            .err()
            .unwrap();
        assert!(!matches!(refused, ReceiveError::Unsound(_)), "{refused}");
        let refused = store.receive(id_of(&view)).await.err().unwrap();
        assert!(matches!(refused, ReceiveError::Stopping), "{refused}");
    });
}

#[test]
fn no_more_than_a_few_parts_are_in_memory_on_either_side() {
    let rows: Vec<_> = (0..40_u8)
        .map(|number| (Table::Files, vec![number], vec![number; 1 << 20]))
        .collect();
    let sender = replica_with(&rows);
    SimRuntime::with_seed(1).block_on(async {
        let tasks: Arc<dyn Workers> = Arc::new(Tasks::<SimRuntime>::default());
        let view = view_of(&sender).with_workers(Arc::clone(&tasks));
        let mut parts = view.parts(None).unwrap();
        let mut taken = Vec::new();
        for _ in 0..3 {
            // Until the worker can do no more.
            SimRuntime::sleep(std::time::Duration::from_millis(1)).await;
            let mut waiting = 0;
            while let Some(Some(part)) = parts.next().now_or_never() {
                taken.push(part.unwrap());
                waiting += 1;
            }
            assert_eq!(waiting, 4, "parts that were read ahead");
        }

        let receiver = open(&Memory::default(), RECEIVER, &tasks);
        let mut incoming = receiver.receive(id_of(&view)).await.unwrap();
        let mut accepted = 0;
        // The worker gets no turn meanwhile.
        for part in taken {
            let Part::Rows(bytes) = part else {
                panic!("{part:?}")
            };
            if incoming.take(bytes).now_or_never().is_none() {
                break;
            }
            accepted += 1;
        }
        assert!((1..=4).contains(&accepted), "{accepted} parts wait to be written");
    });
}
