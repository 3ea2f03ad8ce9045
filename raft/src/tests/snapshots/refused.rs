//! What is not exactly the sender's snapshot is refused, and the state stays as it was.

use futures::executor::block_on;

use super::{RECEIVER, SENDER, digest, fill, give, id_of, install, open, parts_after, threads, view_of};
use crate::disk::{DatabaseKind, Disk, Files, Memory};
use crate::kv::Table;
use crate::machine::{Part, Position, ReceiveError, SnapshotId, forge};

/// Gives what `change` makes of the parts of a snapshot of `id`, and says why it was refused.
fn refusal(change: impl FnOnce(&mut SnapshotId, &mut Vec<Part>)) -> String {
    let directory = tempfile::TempDir::new().unwrap();
    let disk = Files::new(directory.path().join("coordinator.db")).unwrap();
    block_on(async {
        let sender = open(&Memory::default(), SENDER, &threads());
        fill(&sender, 40, 6).await;
        let view = view_of(&sender);
        let sound = parts_after(&view, None).await;
        let (mut id, mut parts) = (id_of(&view), sound.clone());
        change(&mut id, &mut parts);

        let receiver = open(&disk, RECEIVER, &threads());
        fill(&receiver, 1, 1).await;
        let before = digest(&receiver);
        let incoming = receiver.receive(id).await.unwrap();
        let refused = give(incoming, parts).await.err().expect("it was taken");
        assert_eq!(disk.size(DatabaseKind::Incoming), 0, "{refused}: and not deleted");
        assert_eq!(before, digest(&receiver));

        let again = receiver.receive(id_of(&view)).await.unwrap();
        assert_eq!(again.position(), None, "{refused}: and not begun anew");
        install(give(again, sound).await.unwrap(), &receiver).await;
        assert_eq!(digest(&sender), digest(&receiver));
        refused.to_string()
    })
}

fn bytes(part: &mut Part) -> &mut Vec<u8> {
    match part {
        Part::Rows(bytes) | Part::End(bytes) => bytes,
    }
}

fn assert_says(refused: &str, what: &str) {
    assert!(refused.contains(what), "{refused}");
}

#[test]
fn a_damaged_part_is_refused_wherever_the_damage_is() {
    for at in [0, 31, 32, 33, 40, 100] {
        let refused = refusal(|_, parts| bytes(&mut parts[2])[at] ^= 1);
        assert_says(&refused, "is damaged");
    }
    let refused = refusal(|_, parts| bytes(&mut parts[1]).truncate(20));
    assert_says(&refused, "cut off");
    let refused = refusal(|_, parts| bytes(&mut parts[1]).resize(65 << 20, 0));
    assert_says(&refused, "too large");
}

#[test]
fn a_missing_part_and_a_part_out_of_place_are_refused() {
    let refused = refusal(|_, parts| drop(parts.remove(2)));
    assert_says(&refused, "does not follow");
    let refused = refusal(|_, parts| parts.swap(1, 2));
    assert_says(&refused, "does not follow");
    let refused = refusal(|_, parts| {
        let twice = parts[1].clone();
        parts.insert(1, twice);
    });
    assert_says(&refused, "does not follow");
    let refused = refusal(|_, parts| drop(parts.drain(2..parts.len() - 1)));
    assert_says(&refused, "does not follow");
}

#[test]
fn parts_of_another_snapshot_are_refused() {
    let refused = refusal(|id, _| id.sender = 99);
    assert_says(&refused, "does not follow");
    let refused = refusal(|id, _| id.applied.as_mut().unwrap().index += 1);
    assert_says(&refused, "does not follow");
}

/// A row, as a faulty sender might make it.
type Forged<'a> = (Table, &'a [(&'a [u8], &'a [u8])]);

/// Parts of such rows with digests as they should be, and an end with another number of rows by `more`.
fn forged(id: &SnapshotId, rows: &[Forged<'_>], more: u64) -> Vec<Part> {
    let mut parts = forge::Parts::new(id);
    for (table, rows) in rows {
        parts.rows(*table as u8, rows);
    }
    parts.end(more)
}

#[test]
fn rows_out_of_order_are_refused_though_the_digests_are_right() {
    let unordered: [&[Forged<'_>]; 4] = [
        &[(Table::Files, &[(b"b", b""), (b"a", b"")])],
        &[(Table::Files, &[(b"a", b""), (b"a", b"")])],
        &[(Table::Files, &[(b"b", b"")]), (Table::Files, &[(b"a", b"")])],
        &[(Table::Files, &[(b"b", b"")]), (Table::Nodes, &[(b"a", b"")])],
    ];
    for rows in unordered {
        let refused = refusal(|id, parts| *parts = forged(id, rows, 0));
        assert!(
            refused.contains("out of order") || refused.contains("too late"),
            "{refused}"
        );
    }
}

#[test]
fn an_unknown_table_and_empty_or_broken_parts_are_refused() {
    let refused = refusal(|id, parts| {
        let mut forged = forge::Parts::new(id);
        forged.rows(Table::ALL.len() as u8, &[(b"a", b"")]);
        *parts = forged.end(0);
    });
    assert_says(&refused, "table 12");
    let refused = refusal(|id, parts| *parts = forged(id, &[(Table::Files, &[])], 0));
    assert_says(&refused, "no rows");
    let refused = refusal(|id, parts| {
        let mut forged = forge::Parts::new(id);
        forged.content(&[Table::Files as u8, 200, 0, 0, 0, 1, 2, 3]);
        *parts = forged.end(0);
    });
    assert_says(&refused, "cut off");
}

#[test]
fn too_few_rows_and_a_header_of_something_else_are_refused() {
    let refused = refusal(|id, parts| *parts = forged(id, &[(Table::Files, &[(b"a", b"")])], 5));
    assert_says(&refused, "should have 6");
    let refused = refusal(|id, parts| *parts = forged(id, &[(Table::Files, &[(b"a", b"")])], 0));
    assert_says(&refused, "not of the replica and index");
}

#[test]
fn a_place_that_nobody_told_is_no_place() {
    for bytes in [&b""[..], &[0; 20], &[0; 32], &[200; 33]] {
        let refused = Position::decode(bytes).unwrap_err();
        assert!(matches!(refused, ReceiveError::Unsound(_)), "{refused}");
    }
}
