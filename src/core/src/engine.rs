//! The port between the service and what orders, stores and loads: implemented by the Raft engine and by PostgreSQL.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::envelope::Proposal;
use crate::event::EventGroup;
use crate::id::{ChunkId, FileId, NodeId, RequestId};
use crate::rejection::Rejection;
use crate::response::Response;
use crate::row::{BeatRow, ChunkRow, FileRow, NodeRow, RequestRow, Row, TaskRow};
use crate::totals::Totals;
use crate::units::{AppliedIndex, Timestamp};
use crate::view::{ReadSet, View};

/// Something with the applied index at which it took effect or was read.
#[derive(Debug, Clone, PartialEq)]
pub struct At<T> {
    /// The index.
    pub index: AppliedIndex,
    /// The thing.
    pub value: T,
}

/// How fresh a read must be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Freshness {
    /// Which state may answer.
    pub consistency: Consistency,
    /// The state must contain this index; the read waits for it.
    pub at_least: Option<AppliedIndex>,
    /// How far behind the leader a local answer may be.
    pub max_staleness: Option<Duration>,
}

/// Which state may answer a read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Consistency {
    /// It contains every write acknowledged before the read began, wherever that was.
    #[default]
    Linearizable,
    /// The same, answered by the leader itself.
    Leader,
    /// This replica's own, even when it cannot reach any other.
    Local,
}

/// Why an engine gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The command had no effect, for a reason of the rules.
    #[error("{rejection}")]
    Rejected {
        /// The reason.
        rejection: Rejection,
        /// Where in the order that was decided.
        index: AppliedIndex,
    },
    /// Nothing happened, and trying again is safe: there is no leader, or the engine is starting or stopping.
    #[error("{reason}")]
    Unavailable {
        /// What is missing.
        reason: String,
    },
    /// Nothing happened: too much is waiting already.
    #[error("{reason}")]
    Overloaded {
        /// What is full.
        reason: String,
    },
    /// The command was handed over and no answer came: it may or may not take effect.
    #[error("{reason}")]
    UnknownOutcome {
        /// What went wrong.
        reason: String,
    },
    /// The time for a read ran out.
    #[error("{reason}")]
    TimedOut {
        /// What was waited for.
        reason: String,
    },
    /// The engine cannot go on: a human must look.
    #[error("{reason}")]
    Failed {
        /// What failed.
        reason: String,
    },
}

/// Who makes up the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineStatus {
    /// `raft` or `postgres`.
    pub engine: &'static str,
    /// What all replicas of one service have in common.
    pub cluster_id: String,
    /// The leader's name, while there is one.
    pub leader: Option<String>,
    /// Where clients reach the leader's gRPC API, if it says so.
    pub leader_address: Option<String>,
    /// Whether this replica believes that it leads. Only a hint: a command it proposes proves it.
    pub leads: bool,
    /// The term.
    pub term: u64,
    /// The last index known to be committed.
    pub committed: AppliedIndex,
    /// The last index applied here.
    pub applied: AppliedIndex,
    /// How many of the voters that answer can be lost with the service still up.
    pub failure_tolerance: u32,
    /// The members.
    pub members: Vec<Member>,
    /// Why this replica should not be asked now; `None` if it should.
    pub not_ready: Option<String>,
    /// Why this process cannot go on by itself; `None` if it can.
    pub failed: Option<String>,
}

/// A replica of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its stable name.
    pub name: String,
    /// Its identity in the consensus protocol; new after it lost its disk.
    pub raft_id: u64,
    /// Whether it votes; otherwise it learns.
    pub voter: bool,
    /// Where its peers reach it.
    pub address: String,
    /// Whether the leader hears from it.
    pub healthy: bool,
    /// Entries behind the leader.
    pub lag: u64,
}

/// A change to who makes up the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterChange {
    /// Another replica is to lead: the named one, or whichever is furthest along.
    TransferLeader {
        /// Its name.
        to: Option<String>,
    },
    /// A replica is no member any more.
    RemoveMember {
        /// Its name.
        name: String,
    },
    /// There are to be so many voters.
    Resize {
        /// How many.
        replicas: u32,
    },
}

/// Why a change to the service's own replicas was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// No replica has this name. Nothing changed.
    #[error("no member is called {name:?}; there are: {}", known.join(", "))]
    NoSuchMember {
        /// The name.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// It would not be safe, or cannot be done at all. Nothing changed.
    #[error("{reason}")]
    Refused {
        /// Why, with the safe next command.
        reason: String,
    },
    /// Nothing changed, and trying again is safe: there is no leader or no quorum.
    #[error("{reason}")]
    Unavailable {
        /// What is missing.
        reason: String,
    },
    /// The change was begun and did not end in time: it may or may not be made.
    #[error("{reason}")]
    UnknownOutcome {
        /// What went wrong.
        reason: String,
    },
}

/// How the state is kept, for operators.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageReport {
    /// Bytes on disk by what they hold, such as `state` and `log`.
    pub bytes_on_disk: Vec<(&'static str, u64)>,
    /// Rows by table.
    pub rows: Vec<(&'static str, u64)>,
}

/// A page of rows of one kind, in ascending order of their ids.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<K, V> {
    /// The rows.
    pub items: Vec<(K, V)>,
    /// The id after which the next page begins; `None` on the last one.
    pub next: Option<K>,
}

/// Where a scan of all chunks goes on: a place in an order of the engine's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanCursor(Vec<u8>);

impl ScanCursor {
    /// From what the engine makes of the place.
    pub const fn new(place: Vec<u8>) -> Self {
        Self(place)
    }

    /// What the engine made of the place.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// A part of a scan of all chunks.
#[derive(Debug, Clone, PartialEq)]
pub struct ChunkScan {
    /// The chunks.
    pub items: Vec<(ChunkId, ChunkRow)>,
    /// Where to go on; `None` at the end.
    pub next: Option<ScanCursor>,
}

/// What a task is found by: there is one for a node and a chunk, at most.
pub type TaskKey = (NodeId, ChunkId);

/// A node with its last heartbeat.
pub type NodeWithBeat = (Arc<NodeRow>, Option<BeatRow>);

/// What changed after an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Events {
    /// The changes, by ascending index; what is shared is never copied.
    pub groups: Vec<Arc<EventGroup>>,
    /// Everything up to here was given: where to go on. Never less than the index that was asked for.
    pub through: AppliedIndex,
}

/// Why an engine does not say what changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventsError {
    /// It is forgotten: whoever wants to know reads the state instead, and goes on from there.
    #[error("what changed up to index {oldest} is forgotten")]
    TooOld {
        /// The least index that can be gone on from.
        oldest: AppliedIndex,
    },
    /// It cannot be said now.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// What there is to know of a node whose heartbeat came in.
#[derive(Debug, Clone, PartialEq)]
pub struct BeatingNode {
    /// Its row.
    pub row: Arc<NodeRow>,
    /// Its last heartbeat.
    pub beat: Option<BeatRow>,
    /// How many tasks it has.
    pub tasks: usize,
}

/// Orders commands, applies them, and answers from the state they make.
#[async_trait]
pub trait Engine: Send + Sync + 'static {
    /// Puts a command into the one order and applies it, on whichever replica that is done. It waits at most `within`, also
    /// through an election.
    ///
    /// # Errors
    /// [`EngineError`]: only [`EngineError::UnknownOutcome`] leaves open whether the command takes effect.
    async fn execute(&self, proposal: Proposal, within: Duration) -> Result<At<Response>, EngineError>;

    /// Loads rows by key, all from one state.
    ///
    /// # Errors
    /// [`EngineError`], never `Rejected` nor `UnknownOutcome`.
    async fn view(&self, reads: ReadSet, freshness: Freshness) -> Result<At<View>, EngineError>;

    /// All nodes, each with its last heartbeat, by id.
    ///
    /// # Errors
    /// As [`Engine::view`].
    async fn nodes(&self, freshness: Freshness) -> Result<At<Vec<(NodeId, NodeWithBeat)>>, EngineError>;

    /// What this replica's own state knows of some nodes, in the order in which they are named; `None` for those it does not
    /// know. Cheap enough to be asked for every heartbeat.
    ///
    /// # Errors
    /// As [`Engine::view`].
    async fn beating(&self, nodes: &[NodeId]) -> Result<At<Vec<Option<BeatingNode>>>, EngineError>;

    /// The nodes of this replica's state of which [`ExpireNodes::is_due`](crate::command::ExpireNodes::is_due) says so, by
    /// id. Asked every second, so no row is copied for it.
    ///
    /// # Errors
    /// As [`Engine::view`].
    async fn due_nodes(&self, silent_since: Timestamp, now: Timestamp) -> Result<Vec<NodeId>, EngineError>;

    /// A page of files after an id.
    ///
    /// # Errors
    /// As [`Engine::view`].
    async fn files(
        &self,
        after: Option<FileId>,
        limit: usize,
        freshness: Freshness,
    ) -> Result<At<Page<FileId, FileRow>>, EngineError>;

    /// A page of chunks that no file holds, from this replica's state, for housekeeping. Chunks are looked at in an order
    /// of the engine's own; `cursor` is from the page before.
    ///
    /// # Errors
    /// As [`Engine::view`].
    async fn unreferenced_chunks(
        &self,
        cursor: Option<ChunkId>,
        limit: usize,
    ) -> Result<Page<ChunkId, ChunkRow>, EngineError>;

    /// A part of all chunks, from this replica's state, for a patrol: about `limit`, or fewer where chunks lie far apart.
    /// Chunks that come or go meanwhile may be missed or seen.
    ///
    /// # Errors
    /// As [`Engine::view`].
    async fn scan_chunks(&self, cursor: Option<ScanCursor>, limit: usize) -> Result<ChunkScan, EngineError>;

    /// A page of the tasks of one node, or of all, in an order of the engine's own.
    ///
    /// # Errors
    /// As [`Engine::view`].
    async fn tasks(
        &self,
        node: Option<NodeId>,
        after: Option<TaskKey>,
        limit: usize,
        freshness: Freshness,
    ) -> Result<At<Page<TaskKey, TaskRow>>, EngineError>;

    /// A page of remembered requests, from this replica's state, for housekeeping.
    ///
    /// # Errors
    /// As [`Engine::view`].
    async fn requests(
        &self,
        after: Option<String>,
        limit: usize,
    ) -> Result<Page<String, RequestRow>, EngineError>;

    /// The unfinished releases of this replica's state, at most so many.
    ///
    /// # Errors
    /// As [`Engine::view`].
    async fn releases(&self, limit: usize) -> Result<Vec<RequestId>, EngineError>;

    /// What changed after an index, from what this replica has applied: about `limit` changes at a time, and an index never
    /// in part. If nothing did, it waits, at most `within`, and then says so; for an index that is yet to come it waits as well.
    ///
    /// # Errors
    /// [`EventsError`].
    async fn events(
        &self,
        after: AppliedIndex,
        limit: usize,
        within: Duration,
    ) -> Result<Events, EventsError>;

    /// Counts of this replica's state.
    fn totals(&self) -> At<Totals>;

    /// A number that grows whenever a node is registered or changes its state on this replica: who keeps a picture of the
    /// nodes need not ask again while it stays the same.
    fn registry_version(&self) -> u64;

    /// Who makes up the service, as this replica sees it.
    fn status(&self) -> EngineStatus;

    /// Where clients reach the leader's gRPC API, if there is a leader and it says so: the same as in [`Engine::status`],
    /// cheap enough to be asked for every request.
    fn leader_address(&self) -> Option<Arc<str>>;

    /// Changes who makes up the service, and answers in words what was done.
    ///
    /// # Errors
    /// [`ClusterError`]: only [`ClusterError::UnknownOutcome`] leaves open whether the change is made.
    async fn change_cluster(&self, change: ClusterChange, within: Duration) -> Result<String, ClusterError>;

    /// How the state is kept, for operators.
    ///
    /// # Errors
    /// As [`Engine::view`].
    async fn storage(&self) -> Result<StorageReport, EngineError>;

    /// Hands every row of one state to `take`, kind by kind, until it answers `false`.
    ///
    /// # Errors
    /// As [`Engine::view`].
    async fn dump(&self, take: &mut (dyn FnMut(Row) -> bool + Send)) -> Result<AppliedIndex, EngineError>;

    /// The engine's clock: the time it would stamp on a command now.
    fn now(&self) -> Timestamp;
}
