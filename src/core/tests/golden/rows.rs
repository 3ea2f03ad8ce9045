//! What is in stored rows and dumps.

use zephyrfs_core::row::{
    AfterDrain, BeatRow, ChunkRow, FileRow, Fingerprint, NodeStatus, Observed, ReleaseRow, Replica,
    ReplicaState, RequestRow, Row, TaskKind, TaskReason, Wanted,
};
use zephyrfs_core::units::ByteSize;
use zephyrfs_core::{Response, Totals, Usage};

use crate::examples::{chunk_id, drain, file_chunks, file_id, node, node_row, request, stats, task, time};

golden!(rows, "row", Row {
    Row::Node(..) => Row::Node(node("node-1"), node_row(Wanted::InService, Observed::Active)),
    Row::Beat(..) => Row::Beat(node("node-1"), BeatRow { at: time(1), stats: stats() }),
    Row::File(..) => Row::File(file_id(), FileRow {
        name: "holiday.mp4".to_owned(),
        size: ByteSize::new(1_048_577),
        hash: "sha256:UPPER".into(),
        owner: None,
        created_at: time(2),
        chunks: file_chunks(),
    }),
    Row::Chunk(..) => Row::Chunk(chunk_id(), ChunkRow {
        hash: "9f86d081".into(),
        size: ByteSize::new(1_048_576),
        created_at: time(2),
        home: Some(file_id()),
        index: 3,
        sharers: 1,
        unreferenced_since: None,
        replicas: vec![
            Replica { node: node("node-1"), state: ReplicaState::Stored },
            Replica { node: node("node-2"), state: ReplicaState::Assigned },
        ],
    }),
    Row::Sharer(..) => Row::Sharer(chunk_id(), "other".into(), 300),
    Row::Release(..) => Row::Release(request(), ReleaseRow { file: file_id(), chunks: file_chunks(), done: 1 }),
    Row::Request(..) => Row::Request("key".to_owned(), RequestRow {
        fingerprint: Fingerprint::from_bytes([0xab; 32]),
        response: Response::FileDeleted,
        expires_at: time(86_400_000),
    }),
    Row::Task(..) => Row::Task(node("node-1"), chunk_id(), task(TaskKind::Delete)),
});

golden!(wanted, "wanted", Wanted {
    Wanted::InService => Wanted::InService,
    Wanted::Maintenance { .. } => Wanted::Maintenance { until: time(5) },
    Wanted::Draining(_) => Wanted::Draining(drain()),
    Wanted::Removed { .. } => Wanted::Removed { at: time(6), reason: "sold".to_owned() , drain: None},
});

golden!(observed, "observed", Observed {
    Observed::Active => Observed::Active,
    Observed::Inactive { .. } => Observed::Inactive { since: time(7), written_off: true },
});

golden!(node_statuses, "node_status", NodeStatus {
    NodeStatus::Active => NodeStatus::Active,
    NodeStatus::Inactive => NodeStatus::Inactive,
    NodeStatus::Maintenance => NodeStatus::Maintenance,
    NodeStatus::Draining => NodeStatus::Draining,
});

golden!(replica_states, "replica_state", ReplicaState {
    ReplicaState::Assigned => ReplicaState::Assigned,
    ReplicaState::Stored => ReplicaState::Stored,
    ReplicaState::Deleting => ReplicaState::Deleting,
});

golden!(task_kinds, "task_kind", TaskKind {
    TaskKind::Replicate => TaskKind::Replicate,
    TaskKind::Delete => TaskKind::Delete,
});

golden!(task_reasons, "task_reason", TaskReason {
    TaskReason::LastCopy => TaskReason::LastCopy,
    TaskReason::FewCopies => TaskReason::FewCopies,
    TaskReason::UnderTarget => TaskReason::UnderTarget,
    TaskReason::Draining => TaskReason::Draining,
    TaskReason::Unreferenced => TaskReason::Unreferenced,
    TaskReason::Replaced => TaskReason::Replaced,
    TaskReason::Unconfirmed => TaskReason::Unconfirmed,
    TaskReason::Misplaced => TaskReason::Misplaced,
    TaskReason::Surplus => TaskReason::Surplus,
    TaskReason::Rebalance => TaskReason::Rebalance,
});

golden!(totals, "totals", Totals {
    Totals { .. } => {
        let mut totals = Totals::default();
        totals.node_changed(None, &node_row(Wanted::Draining(drain()), Observed::Active));
        totals.files = 300;
        totals.chunks = 70_000;
        totals.unreferenced_chunks = 1;
        totals.task_changed(None, Some(TaskKind::Delete));
        totals
    },
});

golden!(after_drains, "after_drain", AfterDrain {
    AfterDrain::Stay => AfterDrain::Stay,
    AfterDrain::Remove => AfterDrain::Remove,
});

golden!(usages, "usage", Usage {
    Usage { .. } => Usage { copies: 70_000, bytes: ByteSize::new(1 << 36) },
});
