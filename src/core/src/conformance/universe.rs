//! The few things that random commands speak of, so that they meet again and again.
//!
//! Their names are chosen to trip a store: some are packed as hex or UUIDs and so sort elsewhere than as text, some are
//! the beginning of another, some hold bytes that a careless key would take for its own.

use proptest::prelude::{Strategy, any};
use proptest::sample::{select, subsequence};

use crate::id::{ChunkId, FileId, NodeId};
use crate::view::ReadSet;

const NODES: [&str; 7] = [
    "a",
    "ab",
    "node-1",
    "00ff",
    "0190b3a0-7c1e-7d4a-8f00-0123456789ab",
    "x\0y",
    "éa",
];
const FILES: [&str; 6] = [
    "f",
    "fa",
    "00ff",
    "0190b3a0-7c1e-7d4a-8f00-0123456789ab",
    "\u{1}",
    "zz",
];
const KEYS: [&str; 4] = ["key", "key-1", "00ff", "\0"];

/// Large files are made of a range of these; small ones of some in each page of a large one.
pub(super) const CHUNKS: usize = 3_000;
const SMALL: [usize; 10] = [0, 1, 2, 3, 4, 5, 1_200, 1_201, 2_100, 2_101];

pub(super) fn chunk(number: usize) -> ChunkId {
    match number % 4 {
        0 => ChunkId::from(format!("{number:08x}")),
        1 => ChunkId::from(format!("f{number}")),
        2 => ChunkId::from(format!("{number:08x}-7c1e-7d4a-8f00-0123456789ab")),
        _ => ChunkId::from(format!("{number:08X}F")),
    }
}

pub(super) fn node() -> impl Strategy<Value = NodeId> + Clone {
    select(&NODES[..]).prop_map(NodeId::from)
}

pub(super) fn nodes() -> Vec<NodeId> {
    NODES.into_iter().map(NodeId::from).collect()
}

pub(super) fn file() -> impl Strategy<Value = FileId> + Clone {
    select(&FILES[..]).prop_map(FileId::from)
}

/// One of the files that are large now and then: two, so that they are replaced and deleted before long.
pub(super) fn large_file() -> impl Strategy<Value = FileId> + Clone {
    select(&FILES[..2]).prop_map(FileId::from)
}

pub(super) fn key() -> impl Strategy<Value = String> + Clone {
    select(&KEYS[..]).prop_map(str::to_owned)
}

/// One of the chunks of small files.
pub(super) fn some_chunk() -> impl Strategy<Value = usize> + Clone {
    select(&SMALL[..])
}

/// Some of the chunks of small files, in ascending or descending order.
pub(super) fn some_chunks() -> impl Strategy<Value = Vec<usize>> {
    (subsequence(&SMALL[..], 0..=5), any::<bool>()).prop_map(|(mut chunks, reversed)| {
        if reversed {
            chunks.reverse();
        }
        chunks
    })
}

/// Everything that may exist, asked for in the ways a command or a question asks.
pub(super) fn questions() -> Vec<ReadSet> {
    let files = || FILES.into_iter().map(FileId::from);
    let chunks = || SMALL.into_iter().map(chunk);
    vec![
        ReadSet {
            nodes: NODES.into_iter().map(NodeId::from).collect(),
            tasks: NODES
                .into_iter()
                .flat_map(|node| chunks().map(move |chunk| (node.into(), chunk)))
                .collect(),
            files: files().collect(),
            chunks: chunks().collect(),
            usage: NODES.into_iter().map(NodeId::from).collect(),
            requests: KEYS.into_iter().map(str::to_owned).collect(),
            ..ReadSet::default()
        },
        ReadSet {
            file_chunks: files().zip(0..).collect(),
            sharers: Some(Vec::new()),
            ..ReadSet::default()
        },
        ReadSet {
            chunks: chunks().collect(),
            sharers: Some(files().collect()),
            replica_nodes: true,
            ..ReadSet::default()
        },
        ReadSet {
            node_tasks: NODES.into_iter().map(NodeId::from).zip(0..).collect(),
            replica_nodes: true,
            ..ReadSet::default()
        },
    ]
}
