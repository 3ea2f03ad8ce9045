//! What the examples have in common.

use zephyrfs_core::id::{ChunkId, FileId, NodeId, RequestId, TaskId};
use zephyrfs_core::row::{
    AfterDrain, Contact, Drain, FileChunk, NodeRow, NodeStats, Observed, TaskKind, TaskReason, TaskRow,
    Wanted,
};
use zephyrfs_core::units::{ByteSize, Timestamp};

pub(crate) fn node(id: &str) -> NodeId {
    id.into()
}

pub(crate) fn chunk_id() -> ChunkId {
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into()
}

pub(crate) fn file_id() -> FileId {
    "0190b3a0-7c1e-7d4a-8f00-0123456789ab".into()
}

pub(crate) const fn request() -> RequestId {
    RequestId::from_bytes(*b"0123456789abcdef")
}

pub(crate) const fn time(offset: u64) -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000 + offset)
}

pub(crate) const fn stats() -> NodeStats {
    NodeStats {
        storage_used: ByteSize::new(1),
        storage_available: ByteSize::new(300),
        chunks_stored: 70_000,
        bandwidth_up: 5_000_000_000,
        bandwidth_down: 4,
        cpu_usage: 12.5,
        memory_usage: 99.75,
        uptime_seconds: 86_400,
    }
}

pub(crate) fn node_row(wanted: Wanted, observed: Observed) -> NodeRow {
    NodeRow {
        addresses: vec!["10.0.0.1:7000".to_owned(), "[::1]:7000".to_owned()],
        capacity: ByteSize::new(1 << 40),
        capabilities: [
            ("rack".to_owned(), "7".to_owned()),
            ("zone".to_owned(), "eu-1".to_owned()),
        ]
        .into(),
        registered_at: time(0),
        wanted,
        observed,
        contact: Contact {
            since: time(1),
            returns: 2,
            held_until: time(60_001),
            last_silence: time(0),
        },
    }
}

pub(crate) const fn drain() -> Drain {
    Drain {
        since: time(2),
        copies: 70_000,
        bytes: ByteSize::new(1 << 36),
        then: AfterDrain::Remove,
        done_at: Some(time(3)),
    }
}

pub(crate) fn file_chunks() -> std::sync::Arc<[FileChunk]> {
    [(chunk_id(), 0), ("second".into(), 300)]
        .map(|(id, index)| FileChunk { id, index })
        .into()
}

pub(crate) fn task(kind: TaskKind) -> TaskRow {
    TaskRow {
        id: TaskId::from_bytes(*b"fedcba9876543210"),
        kind,
        reason: TaskReason::UnderTarget,
        created_at: time(3),
        deadline: time(40_003),
        attempt: 2,
        source: Some(node("node-2")),
        size: ByteSize::new(1_048_576),
    }
}
