//! Nouns for the tests of the rules: a world to apply commands to, and short ways to say what they are.
//!
//! Every step in a [`World`] checks the invariants, so a test that only says what happened already asserts that much.

use crate::command::{
    AssignReplicas, ChunkPlan, Command, CopyPlan, DeleteCopies, DeleteFile, Heartbeat, LocationChange,
    NodeStateChange, RecordHeartbeats, RegisterFile, RegisterNode, ReleaseChunks, SetNodeState,
    UnregisterNode, UpdateChunkLocations,
};
use crate::conformance::invariants;
use crate::envelope::{Envelope, Idempotency, Proposal};
use crate::event::Change;
use crate::id::{ChunkId, ContentHash, FileId, NodeId, RequestId};
use crate::model::Model;
use crate::rejection::Rejection;
use crate::response::Response;
use crate::row::Usage;
use crate::row::{
    AfterDrain, BeatRow, ChunkRow, Drain, FileRow, NodeRow, NodeStats, Row, TaskReason, TaskRow, Wanted,
};
use crate::totals::Totals;
use crate::units::{AppliedIndex, ByteSize, Millis, Timestamp};
use crate::view::ReadSet;

/// How long nodes have for tasks.
pub(crate) const TASK_TIME: Millis = Millis::new(40_000);

/// How long nodes may be silent.
pub(crate) const INACTIVE_AFTER: Millis = Millis::new(60_000);

/// To give up its chunks and stay registered.
pub(crate) const DRAIN: NodeStateChange = NodeStateChange::Drain {
    then: AfterDrain::Stay,
};

/// What is wanted of a node that is draining.
pub(crate) fn draining() -> Wanted {
    Wanted::Draining(Drain::beginning(
        Timestamp::EPOCH,
        Usage::default(),
        AfterDrain::Stay,
    ))
}

/// A state with a clock that only tests move.
pub(crate) struct World {
    model: Model,
    applied: u64,
    now: Timestamp,
}

impl World {
    /// A world with these nodes registered and nothing else.
    pub(crate) fn with_nodes<const N: usize>(nodes: [&str; N]) -> Self {
        let mut world = Self {
            model: Model::default(),
            applied: 0,
            now: Timestamp::from_millis(1_000_000),
        };
        for node in nodes {
            world.apply(register(node)).unwrap();
        }
        world
    }

    /// Applies a command and checks what must be true after every one.
    pub(crate) fn apply(&mut self, command: impl Into<Command>) -> Result<Response, Rejection> {
        self.apply_keyed(command, None)
    }

    /// Applies a command with an idempotency key.
    pub(crate) fn apply_keyed(
        &mut self,
        command: impl Into<Command>,
        idempotency: Option<Idempotency>,
    ) -> Result<Response, Rejection> {
        self.applied += 1;
        let envelope = Envelope {
            proposed_at: self.now,
            proposal: Proposal {
                id: self.last_id(),
                idempotency,
                command: command.into(),
            },
        };
        let before = self.model.rows();
        let outcome = self.model.apply(&envelope, AppliedIndex::new(self.applied));
        let after = self.model.rows();
        if outcome.is_err() {
            assert_eq!(before, after, "a refused command changed something");
        }
        invariants::check(&after).unwrap();
        assert_eq!(recount(&after), *self.model.totals());
        outcome
    }

    /// What the last command changed.
    pub(crate) fn changes(&self) -> &[Change] {
        self.model.changes()
    }

    /// The id of the last proposal.
    pub(crate) fn last_id(&self) -> RequestId {
        RequestId::from_bytes(u128::from(self.applied).to_be_bytes())
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, span: Millis) {
        self.now = self.now.plus(span);
    }

    /// Turns the leader's clock back.
    pub(crate) fn turn_back(&mut self, span: Millis) {
        self.now = self.now.minus(span);
    }

    pub(crate) const fn now(&self) -> Timestamp {
        self.now
    }

    pub(crate) const fn model(&self) -> &Model {
        &self.model
    }

    pub(crate) fn node(&self, id: &str) -> NodeRow {
        let reads = ReadSet {
            nodes: vec![id.into()],
            ..ReadSet::default()
        };
        NodeRow::clone(&self.model.view(&reads).nodes[&NodeId::from(id)])
    }

    pub(crate) fn beat(&self, id: &str) -> BeatRow {
        let reads = ReadSet {
            nodes: vec![id.into()],
            ..ReadSet::default()
        };
        self.model.view(&reads).beats[&NodeId::from(id)]
    }

    pub(crate) fn file(&self, id: &str) -> Option<FileRow> {
        let reads = ReadSet {
            files: vec![id.into()],
            ..ReadSet::default()
        };
        self.model.view(&reads).files.remove(&FileId::from(id))
    }

    pub(crate) fn chunk(&self, id: &str) -> Option<ChunkRow> {
        let reads = ReadSet {
            chunks: vec![id.into()],
            ..ReadSet::default()
        };
        self.model.view(&reads).chunks.remove(&ChunkId::from(id))
    }

    /// The chunk's home and how many files hold it besides.
    pub(crate) fn holders(&self, chunk: &str) -> (Option<String>, u32) {
        let chunk = self.chunk(chunk).unwrap();
        (chunk.home.map(String::from), chunk.sharers)
    }

    pub(crate) fn task(&self, node: &str, chunk: &str) -> Option<TaskRow> {
        let reads = ReadSet {
            tasks: vec![(node.into(), chunk.into())],
            ..ReadSet::default()
        };
        self.model.view(&reads).tasks.into_values().next()
    }

    /// The nodes among the chunk's replicas.
    pub(crate) fn replicas(&self, chunk: &str) -> Vec<String> {
        let chunk = self.chunk(chunk).unwrap();
        chunk
            .replicas
            .into_iter()
            .map(|replica| replica.node.into())
            .collect()
    }
}

fn recount(rows: &[Row]) -> Totals {
    let mut totals = Totals::default();
    rows.iter().for_each(|row| totals.count(row));
    totals
}

/// A file that is to be registered.
pub(crate) struct NewFile(RegisterFile);

impl NewFile {
    /// A file of these chunks, each hashed by its own id, with indexes from 0.
    pub(crate) fn new<C: AsRef<str>>(id: &str, chunks: impl IntoIterator<Item = C>) -> Self {
        let chunk = |(index, id): (usize, C)| ChunkPlan {
            id: id.as_ref().into(),
            hash: id.as_ref().into(),
            size: ByteSize::new(100),
            index: index as u32,
            targets: Vec::new(),
        };
        Self(RegisterFile {
            file: id.into(),
            name: format!("{id}.bin"),
            size: ByteSize::new(1_000),
            hash: ContentHash::from("whole"),
            owner: None,
            chunks: chunks.into_iter().enumerate().map(chunk).collect(),
            nodes: Vec::new(),
            wanted: 3,
            max_replicas: 5,
            task_time: TASK_TIME,
        })
    }

    /// With every chunk planned onto these nodes.
    pub(crate) fn on<const N: usize>(mut self, nodes: [&str; N]) -> Self {
        self.0.nodes = nodes.map(NodeId::from).to_vec();
        for chunk in &mut self.0.chunks {
            chunk.targets = (0..N as u32).collect();
        }
        self
    }

    /// With something else about it.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut RegisterFile)) -> Self {
        change(&mut self.0);
        self
    }
}

impl From<NewFile> for Command {
    fn from(file: NewFile) -> Self {
        Self::RegisterFile(file.0)
    }
}

pub(crate) fn register(node: &str) -> Command {
    Command::RegisterNode(RegisterNode {
        node: node.into(),
        addresses: vec![format!("{node}:9000")],
        capacity: ByteSize::new(1 << 40),
        capabilities: std::collections::BTreeMap::new(),
        peers: Vec::new(),
        inactive_after: INACTIVE_AFTER,
    })
}

pub(crate) fn unregister(node: &str) -> Command {
    Command::UnregisterNode(UnregisterNode {
        node: node.into(),
        reason: "sold".to_owned(),
    })
}

pub(crate) fn set_state(node: &str, change: NodeStateChange) -> Command {
    Command::SetNodeState(SetNodeState {
        node: node.into(),
        change,
    })
}

pub(crate) fn beats<const N: usize>(beats: [(&str, Millis, NodeStats); N]) -> Command {
    let beat = |(node, age, stats): (&str, Millis, NodeStats)| Heartbeat {
        node: node.into(),
        age,
        stats,
    };
    Command::RecordHeartbeats(RecordHeartbeats {
        beats: beats.map(beat).to_vec(),
        inactive_after: INACTIVE_AFTER,
    })
}

/// Marks these nodes inactive, however lately they were heard from.
pub(crate) fn silence<const N: usize>(nodes: [&str; N]) -> Command {
    Command::ExpireNodes(crate::command::ExpireNodes {
        nodes: nodes.map(NodeId::from).to_vec(),
        silent_since: Timestamp::from_millis(u64::MAX),
    })
}

pub(crate) fn delete(file: &str) -> Command {
    Command::DeleteFile(DeleteFile { file: file.into() })
}

pub(crate) fn release(id: RequestId) -> Command {
    Command::ReleaseChunks(ReleaseChunks { release: id })
}

pub(crate) fn locations<const N: usize>(chunk: &str, change: LocationChange, nodes: [&str; N]) -> Command {
    Command::UpdateChunkLocations(UpdateChunkLocations {
        chunk: chunk.into(),
        nodes: nodes.map(NodeId::from).to_vec(),
        change,
        max_replicas: 3,
    })
}

/// Tells a node to fetch a chunk; three copies are wanted.
pub(crate) fn assign(chunk: &str, target: &str) -> Command {
    Command::AssignReplicas(AssignReplicas {
        copies: vec![CopyPlan {
            chunk: chunk.into(),
            target: target.into(),
            reason: TaskReason::UnderTarget,
            source: None,
            instead_of: None,
        }],
        wanted: 3,
        time: TASK_TIME,
    })
}

/// Deletes the copies, on nodes from `n1` to `n4`, of chunks that no file has held since before a time.
pub(crate) fn delete_copies(chunks: &[&str], unreferenced_since: Timestamp) -> Command {
    Command::DeleteCopies(DeleteCopies {
        copies: chunks
            .iter()
            .flat_map(|&chunk| ["n1", "n2", "n3", "n4"].map(|node| (chunk.into(), node.into())))
            .collect(),
        unreferenced_since,
        time: TASK_TIME,
    })
}
