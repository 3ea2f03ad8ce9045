//! Random commands, most of which have an effect in the state that the ones before them make.

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::{Just, Strategy, any};
use proptest::prop_oneof;
use proptest::sample::select;

use super::universe::{self, CHUNKS, chunk, file, key, node, some_chunk, some_chunks};
use crate::command::{
    AssignReplicas, ChunkPlan, Command, CopyPlan, DeleteFile, FinishDrains, Heartbeat, HeldChunk,
    LocationChange, NodeStateChange, RecordHeartbeats, RecordInventory, RegisterFile, RegisterNode,
    SetNodeState, UnregisterNode, UpdateChunkLocations, WriteOffNodes,
};
use crate::envelope::Idempotency;
use crate::id::{FileId, NodeId};
use crate::row::{AfterDrain, Fingerprint, NodeStats, TaskReason};
use crate::units::{ByteSize, Millis};

/// How long nodes may be silent.
const INACTIVE_AFTER: Millis = Millis::new(5_000);

/// A command, or what it takes to make one of the state that it finds.
#[derive(Debug, Clone)]
pub(super) enum Action {
    Command(Command),
    /// Expire nodes that are silent for so long.
    Expire {
        nodes: Vec<NodeId>,
        silent_for: Millis,
    },
    /// Continue one of the unfinished releases, or one that does not exist.
    Release {
        pick: usize,
    },
    /// Forget what has expired.
    Forget {
        requests: Vec<String>,
    },
    /// Delete the copies of chunks that have been out of use for so long.
    DeleteCopies {
        chunks: Vec<usize>,
        nodes: Vec<NodeId>,
        unreferenced_for: Millis,
        time: Millis,
    },
    /// Renew some of the tasks, or take them back, and one that does not exist.
    Tasks {
        picks: Vec<usize>,
        renew: Option<Millis>,
    },
    /// Unregister a node that has a task.
    Unregister {
        pick: usize,
    },
    /// The node of one of the tasks says that it did it, or that it did the opposite.
    Report {
        pick: usize,
        change: LocationChange,
    },
    /// Forget every copy that can be forgotten.
    ForgetReplicas {
        wanted: u32,
        is_late: bool,
    },
    /// A client brings a chunk to a node that is drained.
    BringToDrained {
        chunk: usize,
    },
    /// Drop every copy that others make up for.
    TrimCopies {
        wanted: u32,
        time: Millis,
        is_late: bool,
    },
}

/// A command among small files.
pub(super) fn small() -> impl Strategy<Value = Action> {
    prop_oneof![
        9 => nodes(),
        8 => small_file().prop_map(Action::Command),
        2 => delete_file(file()),
        4 => update_locations(),
        1 => (0..2_usize).prop_map(|pick| Action::Release { pick }),
        1 => forget(),
        3 => delete_copies(),
        5 => assign_replicas(),
        5 => tasks(),
        1 => (0..8_usize).prop_map(|pick| Action::Unregister { pick }),
        3 => (0..8_usize, change()).prop_map(|(pick, change)| Action::Report { pick, change }),
        5 => (few(), late()).prop_map(|(wanted, is_late)| Action::ForgetReplicas { wanted, is_late }),
        4 => some_chunk().prop_map(|chunk| Action::BringToDrained { chunk }),
        3 => (few(), span(), late()).prop_map(|(wanted, time, is_late)| Action::TrimCopies { wanted, time, is_late }),
        4 => record_inventory(),
    ]
}

/// A command among files of which some are larger than a page.
pub(super) fn large() -> impl Strategy<Value = Action> {
    prop_oneof![
        1 => nodes(),
        4 => large_file().prop_map(Action::Command),
        3 => small_file().prop_map(Action::Command),
        3 => delete_file(universe::large_file()),
        6 => (0..4_usize).prop_map(|pick| Action::Release { pick }),
        1 => forget(),
        1 => delete_copies(),
        1 => assign_replicas(),
    ]
}

fn few() -> impl Strategy<Value = u32> {
    prop_oneof![4 => Just(1_u32), 1 => Just(2)]
}

/// Whether a command comes too late to do anything.
fn late() -> impl Strategy<Value = bool> {
    prop_oneof![5 => Just(false), 1 => Just(true)]
}

pub(super) fn register_node() -> impl Strategy<Value = Action> {
    let facts = btree_map(select(vec!["zone", "rack"]), select(vec!["1", "2"]), 0..=2);
    (node(), 0..4_u64, facts).prop_map(|(node, capacity, facts)| {
        Action::Command(Command::RegisterNode(RegisterNode {
            addresses: vec![format!("{node}:{capacity}")],
            node,
            capacity: ByteSize::new(capacity),
            capabilities: facts
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            peers: vec!["peer:1".to_owned()],
            inactive_after: INACTIVE_AFTER,
        }))
    })
}

/// An idempotency key, for some commands: used again soon, now and then for another request.
pub(super) fn idempotency() -> impl Strategy<Value = Option<Idempotency>> {
    let known = (key(), prop_oneof![4 => Just(0_u8), 1 => Just(1)], span());
    option::weighted(0.25, known).prop_map(|known| {
        known.map(|(key, request, keep_for)| Idempotency {
            key,
            fingerprint: Fingerprint::from_bytes([request; 32]),
            keep_for,
        })
    })
}

fn nodes() -> impl Strategy<Value = Action> {
    prop_oneof![
        3 => register_node(),
        2 => unregister_node(),
        3 => set_node_state(),
        4 => record_heartbeats(),
        4 => prop_oneof![3 => Just(universe::nodes()), 1 => vec(node(), 0..4)]
            .prop_map(|nodes| Action::Command(Command::FinishDrains(FinishDrains { nodes }))),
        2 => vec(node(), 1..5)
            .prop_map(|nodes| Action::Command(Command::WriteOffNodes(WriteOffNodes { nodes }))),
        2 => (vec(node(), 0..4), span())
            .prop_map(|(nodes, silent_for)| Action::Expire { nodes, silent_for }),
    ]
}

fn unregister_node() -> impl Strategy<Value = Action> {
    node().prop_map(|node| {
        Action::Command(Command::UnregisterNode(UnregisterNode {
            node,
            reason: "sold".to_owned(),
        }))
    })
}

fn set_node_state() -> impl Strategy<Value = Action> {
    let change = prop_oneof![
        4 => Just(NodeStateChange::Activate),
        4 => prop_oneof![Just(AfterDrain::Stay), Just(AfterDrain::Remove)]
            .prop_map(|then| NodeStateChange::Drain { then }),
        1 => Just(NodeStateChange::CancelDrain),
        2 => span().prop_map(|span| NodeStateChange::Maintain { span }),
    ];
    (node(), change)
        .prop_map(|(node, change)| Action::Command(Command::SetNodeState(SetNodeState { node, change })))
}

fn record_heartbeats() -> impl Strategy<Value = Action> {
    let beat = (node(), span(), 0..1_000_u64).prop_map(|(node, age, used)| Heartbeat {
        node,
        age,
        stats: NodeStats {
            storage_used: ByteSize::new(used),
            cpu_usage: used as f64 / 10.0,
            ..NodeStats::default()
        },
    });
    vec(beat, 0..6).prop_map(|beats| {
        Action::Command(Command::RecordHeartbeats(RecordHeartbeats {
            beats,
            inactive_after: INACTIVE_AFTER,
        }))
    })
}

fn small_file() -> impl Strategy<Value = Command> {
    // A chunk in twenty has other content than elsewhere, one in ten its own choice of nodes.
    let detail = (
        prop_oneof![19 => Just(0_u8), 1 => 1..3_u8],
        option::weighted(0.1, vec(0..6_u32, 0..4)),
        prop_oneof![60 => 1..4_u32, 1 => Just(0)],
    );
    let shape = (some_chunks(), vec(detail, 5));
    (shape, file_facts(file())).prop_map(|((chunks, details), facts)| {
        let mut index = 0;
        let plans = chunks
            .into_iter()
            .zip(details)
            .map(|(number, (content, targets, step))| {
                index += step;
                plan(number, content, index, targets.unwrap_or_else(|| facts.all()))
            });
        let plans = plans.collect();
        facts.file(plans)
    })
}

/// A file that takes two or three pages to release.
fn large_file() -> impl Strategy<Value = Command> {
    let range = (0..CHUNKS - 2_500, 1_500..=2_500_usize);
    (range, file_facts(universe::large_file())).prop_map(|((from, count), facts)| {
        let plans = (from..from + count)
            .zip(0..)
            .map(|(number, index)| plan(number, 0, index, facts.all()));
        let plans = plans.collect();
        facts.file(plans)
    })
}

/// What a file has besides its chunks.
#[derive(Debug, Clone)]
struct FileFacts {
    file: FileId,
    version: u8,
    nodes: Vec<NodeId>,
    wanted: u32,
    max_replicas: u32,
}

fn file_facts(file: impl Strategy<Value = FileId>) -> impl Strategy<Value = FileFacts> {
    (file, 0..3_u8, vec(node(), 1..6), 1..4_u32, 0..3_u32).prop_map(|(file, version, nodes, wanted, more)| {
        FileFacts {
            file,
            version,
            nodes,
            wanted,
            max_replicas: wanted + more,
        }
    })
}

impl FileFacts {
    fn all(&self) -> Vec<u32> {
        (0..self.nodes.len() as u32).collect()
    }

    fn file(self, chunks: Vec<ChunkPlan>) -> Command {
        Command::RegisterFile(RegisterFile {
            file: self.file,
            name: format!("version {}", self.version),
            size: ByteSize::new(1_000),
            // Two of three versions have the same content, as far as the file's own hash can tell.
            hash: format!("{:02x}", self.version / 2).into(),
            owner: (self.version == 1).then(|| NodeId::from("owner")),
            chunks,
            nodes: self.nodes,
            wanted: self.wanted,
            max_replicas: self.max_replicas,
            task_time: Millis::new(30_000),
        })
    }
}

fn plan(number: usize, content: u8, index: u32, targets: Vec<u32>) -> ChunkPlan {
    ChunkPlan {
        id: chunk(number),
        hash: format!("{:02x}", content % 2).into(),
        size: ByteSize::new(u64::from(content / 2)),
        index,
        targets,
    }
}

fn delete_file(file: impl Strategy<Value = FileId>) -> impl Strategy<Value = Action> {
    file.prop_map(|file| Action::Command(Command::DeleteFile(DeleteFile { file })))
}

fn update_locations() -> impl Strategy<Value = Action> {
    (some_chunk(), vec(node(), 0..4), change(), 2..5_u32).prop_map(|(number, nodes, change, max_replicas)| {
        Action::Command(Command::UpdateChunkLocations(UpdateChunkLocations {
            chunk: chunk(number),
            nodes,
            change,
            max_replicas,
        }))
    })
}

fn forget() -> impl Strategy<Value = Action> {
    vec(key(), 0..4).prop_map(|requests| Action::Forget { requests })
}

fn delete_copies() -> impl Strategy<Value = Action> {
    let nodes = prop_oneof![3 => Just(universe::nodes()), 1 => vec(node(), 0..3)];
    (some_chunks(), nodes, span(), span()).prop_map(|(chunks, nodes, unreferenced_for, time)| {
        Action::DeleteCopies {
            chunks,
            nodes,
            unreferenced_for,
            time,
        }
    })
}

/// What a node holds: chunks with their own or other content, and some that are known to nobody.
fn record_inventory() -> impl Strategy<Value = Action> {
    let held = (
        some_chunk(),
        prop_oneof![9 => Just(0_u8), 1 => Just(1)],
        any::<bool>(),
    )
        .prop_map(|(number, content, known)| HeldChunk {
            chunk: if known { chunk(number) } else { chunk(number + 7) },
            hash: format!("{content:02x}").into(),
            size: ByteSize::new(0),
        });
    let missing = some_chunks().prop_map(|chunks| chunks.into_iter().map(chunk).collect());
    (node(), vec(held, 0..4), missing, span(), 2..5_u32).prop_map(
        |(node, held, missing, quarantine, max_replicas)| {
            Action::Command(Command::RecordInventory(RecordInventory {
                node,
                held,
                missing,
                quarantine,
                max_replicas,
            }))
        },
    )
}

fn assign_replicas() -> impl Strategy<Value = Action> {
    let others = (option::of(node()), option::of(node()));
    let copy = (some_chunk(), node(), others).prop_map(|(number, target, (source, instead_of))| CopyPlan {
        chunk: chunk(number),
        target,
        reason: TaskReason::FewCopies,
        source,
        instead_of,
    });
    (vec(copy, 1..6), 1..5_u32, span()).prop_map(|(copies, wanted, time)| {
        Action::Command(Command::AssignReplicas(AssignReplicas { copies, wanted, time }))
    })
}

fn tasks() -> impl Strategy<Value = Action> {
    (vec(0..8_usize, 0..4), option::of(span())).prop_map(|(picks, renew)| Action::Tasks { picks, renew })
}

fn change() -> impl Strategy<Value = LocationChange> {
    any::<bool>().prop_map(|add| {
        if add {
            LocationChange::Add
        } else {
            LocationChange::Remove
        }
    })
}

/// A span of time: none, or a few steps of the clock.
fn span() -> impl Strategy<Value = Millis> + Clone {
    prop_oneof![1 => Just(0_u64), 3 => 1..60_000_u64].prop_map(Millis::new)
}
