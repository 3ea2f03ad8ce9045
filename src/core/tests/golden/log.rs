//! What is in the log and in answers.

use zephyrfs_core::command::{
    AbandonTasks, AssignReplicas, ChunkPlan, CopyPlan, DeleteCopies, DeleteFile, ExpireNodes, FinishDrains,
    ForgetExpired, ForgetReplicas, Heartbeat, HeldChunk, LocationChange, NodeStateChange, RecordHeartbeats,
    RecordInventory, RegisterFile, RegisterNode, ReleaseChunks, RenewTasks, SetNodeState, TaskName,
    TrimCopies, TrimPlan, UnregisterNode, UpdateChunkLocations, WriteOffNodes,
};
use zephyrfs_core::row::{AfterDrain, Fingerprint, NodeStatus, TaskKind, TaskReason};
use zephyrfs_core::units::{ByteSize, Millis};
use zephyrfs_core::{Command, Envelope, Idempotency, Placement, Proposal, Rejection, Response};

use crate::examples::{chunk_id, file_id, node, request, stats, task, time};

golden!(envelopes, "envelope", Envelope {
    Envelope { proposed_at: _, proposal: Proposal { id: _, idempotency: _, command: _ } } => Envelope {
        proposed_at: time(8),
        proposal: Proposal {
            id: request(),
            idempotency: Some(Idempotency {
                key: "key".to_owned(),
                fingerprint: Fingerprint::from_bytes([0xcd; 32]),
                keep_for: Millis::from_seconds(86_400),
            }),
            command: Command::DeleteFile(DeleteFile { file: file_id() }),
        },
    },
});

golden!(commands, "command", Command {
    Command::RegisterNode(_) => Command::RegisterNode(RegisterNode {
        node: node("node-1"),
        addresses: vec!["10.0.0.1:7000".to_owned()],
        capacity: ByteSize::new(1 << 40),
        capabilities: [("zone".to_owned(), "eu-1".to_owned())].into(),
        peers: vec!["10.0.0.2:7000".to_owned()],
        inactive_after: Millis::new(60_000),
    }),
    Command::UnregisterNode(_) => Command::UnregisterNode(UnregisterNode {
        node: node("node-1"),
        reason: "sold".to_owned(),
    }),
    Command::SetNodeState(_) => Command::SetNodeState(SetNodeState {
        node: node("node-1"),
        change: NodeStateChange::Drain { then: AfterDrain::Stay },
    }),
    Command::RecordHeartbeats(_) => Command::RecordHeartbeats(RecordHeartbeats {
        beats: vec![Heartbeat {
            node: node("node-1"),
            age: Millis::new(250),
            stats: stats(),
        }],
        inactive_after: Millis::new(60_000),
    }),
    Command::ExpireNodes(_) => Command::ExpireNodes(ExpireNodes {
        nodes: vec![node("node-1"), node("node-2")],
        silent_since: time(0),
    }),
    Command::RegisterFile(_) => Command::RegisterFile(RegisterFile {
        file: file_id(),
        name: "holiday.mp4".to_owned(),
        size: ByteSize::new(1_048_577),
        hash: "sha256:UPPER".into(),
        owner: Some(node("node-9")),
        chunks: vec![ChunkPlan {
            id: chunk_id(),
            hash: "9f86d081".into(),
            size: ByteSize::new(1_048_576),
            index: 3,
            targets: vec![1, 0],
        }],
        nodes: vec![node("node-1"), node("node-2")],
        wanted: 3,
        max_replicas: 10,
        task_time: Millis::new(40_000),
    }),
    Command::DeleteFile(_) => Command::DeleteFile(DeleteFile { file: file_id() }),
    Command::UpdateChunkLocations(_) => Command::UpdateChunkLocations(UpdateChunkLocations {
        chunk: chunk_id(),
        nodes: vec![node("node-1")],
        change: LocationChange::Remove,
        max_replicas: 10,
    }),
    Command::ReleaseChunks(_) => Command::ReleaseChunks(ReleaseChunks { release: request() }),
    Command::ForgetExpired(_) => Command::ForgetExpired(ForgetExpired {
        requests: vec!["key".to_owned()],
    }),
    Command::AssignReplicas(_) => Command::AssignReplicas(AssignReplicas {
        copies: vec![CopyPlan {
            chunk: chunk_id(),
            target: node("node-1"),
            reason: TaskReason::LastCopy,
            source: Some(node("node-2")),
            instead_of: Some(node("node-3")),
        }],
        wanted: 3,
        time: Millis::new(40_000),
    }),
    Command::DeleteCopies(_) => Command::DeleteCopies(DeleteCopies {
        copies: vec![(chunk_id(), node("node-1"))],
        unreferenced_since: time(0),
        time: Millis::new(40_000),
    }),
    Command::RenewTasks(_) => Command::RenewTasks(RenewTasks {
        tasks: vec![task_name()],
        time: Millis::new(40_000),
    }),
    Command::AbandonTasks(_) => Command::AbandonTasks(AbandonTasks { tasks: vec![task_name()] }),
    Command::ForgetReplicas(_) => Command::ForgetReplicas(ForgetReplicas {
        replicas: vec![(chunk_id(), node("node-1"))],
        wanted: 3,
        not_after: time(9),
    }),
    Command::TrimCopies(_) => Command::TrimCopies(TrimCopies {
        copies: vec![TrimPlan { chunk: chunk_id(), node: node("node-1"), reason: TaskReason::Surplus }],
        wanted: 3,
        not_after: time(9),
        time: Millis::new(40_000),
    }),
    Command::FinishDrains(_) => Command::FinishDrains(FinishDrains { nodes: vec![node("node-1")] }),
    Command::RecordInventory(_) => Command::RecordInventory(RecordInventory {
        node: node("node-1"),
        held: vec![HeldChunk {
            chunk: chunk_id(),
            hash: "9f86d081".into(),
            size: ByteSize::new(1_048_576),
        }],
        missing: vec!["second".into()],
        quarantine: Millis::from_seconds(86_400),
        max_replicas: 10,
    }),
    Command::WriteOffNodes(_) => Command::WriteOffNodes(WriteOffNodes { nodes: vec![node("node-1")] }),
});

fn task_name() -> TaskName {
    TaskName {
        node: node("node-1"),
        chunk: chunk_id(),
        id: task(TaskKind::Replicate).id,
    }
}

golden!(node_state_changes, "node_state_change", NodeStateChange {
    NodeStateChange::Activate => NodeStateChange::Activate,
    NodeStateChange::Drain { .. } => NodeStateChange::Drain { then: AfterDrain::Remove },
    NodeStateChange::Maintain { .. } => NodeStateChange::Maintain { span: Millis::new(1_800_000) },
    NodeStateChange::CancelDrain => NodeStateChange::CancelDrain,
});

golden!(location_changes, "location_change", LocationChange {
    LocationChange::Add => LocationChange::Add,
    LocationChange::Remove => LocationChange::Remove,
});

golden!(responses, "response", Response {
    Response::NodeRegistered { .. } => Response::NodeRegistered {
        node: node("node-1"),
        peers: vec!["10.0.0.2:7000".to_owned()],
        known: true,
    },
    Response::NodeUnregistered => Response::NodeUnregistered,
    Response::NodeStateSet { .. } => Response::NodeStateSet { status: NodeStatus::Draining },
    Response::HeartbeatsRecorded { .. } => Response::HeartbeatsRecorded { refused: vec![node("node-3")] },
    Response::NodesExpired { .. } => Response::NodesExpired {
        inactive: vec![node("node-1")],
        back_in_service: vec![node("node-2")],
    },
    Response::FileRegistered { .. } => Response::FileRegistered {
        placements: vec![Placement { chunk: chunk_id(), nodes: vec![node("node-1"), node("node-2")] }],
        wanted: 3,
    },
    Response::FileDeleted => Response::FileDeleted,
    Response::ChunkLocationsUpdated => Response::ChunkLocationsUpdated,
    Response::ChunksReleased { .. } => Response::ChunksReleased { left: 1_500 },
    Response::Forgotten { .. } => Response::Forgotten { requests: 2 },
    Response::TasksStarted { .. } => Response::TasksStarted { started: 3 },
    Response::CopiesDeleted { .. } => Response::CopiesDeleted { started: 3, forgotten: 1 },
    Response::TasksRenewed { .. } => Response::TasksRenewed { renewed: 4 },
    Response::TasksAbandoned { .. } => Response::TasksAbandoned { abandoned: 5 },
    Response::ReplicasForgotten { .. } => Response::ReplicasForgotten { forgotten: 6 },
    Response::CopiesTrimmed { .. } => Response::CopiesTrimmed { trimmed: 7 },
    Response::DrainsFinished { .. } => Response::DrainsFinished {
        drained: vec![node("node-1")],
        removed: vec![node("node-2")],
    },
    Response::InventoryRecorded { .. } => Response::InventoryRecorded { found: 1, missing: 2, quarantined: 300 },
    Response::NodesWrittenOff { .. } => Response::NodesWrittenOff { nodes: 8 },
});

golden!(rejections, "rejection", Rejection {
    Rejection::NodeNotFound { .. } => Rejection::NodeNotFound { node: node("node-1") },
    Rejection::NodeRemoved { .. } => Rejection::NodeRemoved { node: node("node-1") },
    Rejection::FileNotFound { .. } => Rejection::FileNotFound { file: file_id() },
    Rejection::ChunkNotFound { .. } => Rejection::ChunkNotFound { chunk: chunk_id() },
    Rejection::ChunkConflict { .. } => Rejection::ChunkConflict {
        chunk: chunk_id(),
        known: "hash a, not b".to_owned(),
    },
    Rejection::DuplicateChunk { .. } => Rejection::DuplicateChunk { chunk: chunk_id() },
    Rejection::NoRoom { .. } => Rejection::NoRoom { chunk: chunk_id(), size: ByteSize::new(1_048_576) },
    Rejection::PlacementStale { .. } => Rejection::PlacementStale { chunk: chunk_id() },
    Rejection::TooManyReplicas { .. } => Rejection::TooManyReplicas { chunk: chunk_id(), limit: 10 },
    Rejection::IdempotencyKeyReused { .. } => Rejection::IdempotencyKeyReused { key: "key".to_owned() },
    Rejection::ReleaseFinished => Rejection::ReleaseFinished,
    Rejection::ChunkBeingDeleted { .. } => Rejection::ChunkBeingDeleted { chunk: chunk_id() },
    Rejection::CopyBeingDeleted { .. } => Rejection::CopyBeingDeleted {
        chunk: chunk_id(),
        node: node("node-1"),
    },
    Rejection::NotDraining { .. } => Rejection::NotDraining { node: node("node-1") },
    Rejection::NodeDrained { .. } => Rejection::NodeDrained { node: node("node-1") },
});
