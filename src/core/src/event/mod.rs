//! What changed, for whoever watches: plain data, told in terms of nodes, files, chunks, tasks and the coordinator's own
//! replicas rather than of rows.
//!
//! A store makes it while it writes, where it knows the old row beside the new one ([`Recorder`]): the same command on the
//! same rows makes the same changes on every replica. Heartbeats, remembered requests, sharers and releases make none.

mod recorder;
#[cfg(test)]
mod tests;

pub use recorder::{OldFile, Recorder};

use serde::{Deserialize, Serialize};

use crate::id::{ChunkId, FileId, NodeId, TaskId};
use crate::row::{NodeStatus, Replica, TaskKind, TaskReason};
use crate::units::{AppliedIndex, ByteSize, Timestamp};

/// Everything that changed at one index: it is given as a whole, so that an index is a place to go on from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventGroup {
    /// The index.
    pub index: AppliedIndex,
    /// The time of the command; of what is no command, that of the last one before.
    pub at: Timestamp,
    /// What changed, in the order of [`ChangeKind`]; never empty.
    pub changes: Box<[Change]>,
}

/// One thing that changed. Stores may keep it, so a variant that has shipped never changes its meaning or its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// The coordinator's own replicas.
    Cluster(ClusterChanged),
    /// A storage node.
    Node(NodeId, NodeChanged),
    /// A file.
    File(FileId, FileChanged),
    /// A chunk.
    Chunk(ChunkId, ChunkChanged),
    /// What a node is to do with a chunk.
    Task(NodeId, ChunkId, TaskChanged),
}

/// What a change is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// The coordinator's own replicas.
    Cluster,
    /// A storage node.
    Node,
    /// A file.
    File,
    /// A chunk.
    Chunk,
    /// A task.
    Task,
}

/// What became of the coordinator's own replicas.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClusterChanged {
    /// Another replica leads, or the same one anew.
    TermBegan {
        /// The term that begins.
        term: u64,
    },
    /// Others are members, or members vote that did not.
    Members {
        /// The names of those that vote, in ascending order; while one set takes the place of another, of both.
        voters: Vec<String>,
        /// The names of those that learn, in ascending order.
        learners: Vec<String>,
    },
}

/// What became of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum NodeChanged {
    /// It is new, or back after it was unregistered.
    Registered {
        /// Its status.
        status: NodeStatus,
    },
    /// Its status is another.
    Status {
        /// What it was.
        from: NodeStatus,
        /// What it is.
        to: NodeStatus,
    },
    /// What it says of itself, or what is wanted of it, is another, without a change of its status alone.
    Updated,
    /// It is no member of the network any more.
    Unregistered {
        /// What the one who unregistered it said.
        reason: String,
    },
}

/// What became of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileChanged {
    /// It is new.
    Registered(FileContent),
    /// It has other content.
    Replaced(FileContent),
    /// It has the same content and another name or owner.
    Updated {
        /// Its name.
        name: String,
    },
    /// It is no more.
    Deleted,
}

/// A file in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileContent {
    /// Its name.
    pub name: String,
    /// Its length.
    pub size: ByteSize,
    /// How many chunks it has.
    pub chunks: usize,
}

/// What became of a chunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChunkChanged {
    /// It is new.
    Created {
        /// The file that brought it.
        file: Option<FileId>,
        /// Its length.
        size: ByteSize,
        /// Where copies are to be.
        replicas: Box<[Replica]>,
    },
    /// Its id stands for other content now.
    Replaced {
        /// Its length.
        size: ByteSize,
    },
    /// A file holds it again.
    Held {
        /// That file.
        file: FileId,
    },
    /// No file holds it any more.
    Released,
    /// Where copies are or shall be is another.
    Replicas {
        /// All of them, as they are now.
        replicas: Box<[Replica]>,
    },
    /// It is no more.
    Deleted,
}

/// What became of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskChanged {
    /// It is new.
    Made {
        /// Its id.
        id: TaskId,
        /// What to do.
        kind: TaskKind,
        /// Why.
        reason: TaskReason,
        /// Until when it is the node's alone.
        deadline: Timestamp,
    },
    /// The node has more time for it.
    Renewed {
        /// Its id.
        id: TaskId,
        /// What to do.
        kind: TaskKind,
        /// How often the node was given time for it.
        attempt: u32,
        /// Until when it is the node's alone.
        deadline: Timestamp,
    },
    /// It is done or taken back.
    Ended {
        /// Its id.
        id: TaskId,
        /// What was to do.
        kind: TaskKind,
    },
}

impl Change {
    /// What it is about.
    pub const fn kind(&self) -> ChangeKind {
        match self {
            Self::Cluster(_) => ChangeKind::Cluster,
            Self::Node(..) => ChangeKind::Node,
            Self::File(..) => ChangeKind::File,
            Self::Chunk(..) => ChangeKind::Chunk,
            Self::Task(..) => ChangeKind::Task,
        }
    }

    /// About how many bytes it takes besides the value itself: who keeps changes keeps them within bounds.
    pub fn heap_bytes(&self) -> usize {
        // An id shares its text with others at times, which is left aside.
        match self {
            Self::Cluster(ClusterChanged::TermBegan { .. }) => 0,
            Self::Cluster(ClusterChanged::Members { voters, learners }) => {
                let names = voters.iter().chain(learners);
                names.map(|name| size_of::<String>() + name.len()).sum()
            }
            Self::Node(id, change) => {
                id.as_str().len()
                    + match change {
                        NodeChanged::Unregistered { reason } => reason.len(),
                        NodeChanged::Registered { .. }
                        | NodeChanged::Status { .. }
                        | NodeChanged::Updated => 0,
                    }
            }
            Self::File(id, change) => {
                id.as_str().len()
                    + match change {
                        FileChanged::Registered(content) | FileChanged::Replaced(content) => {
                            content.name.len()
                        }
                        FileChanged::Updated { name } => name.len(),
                        FileChanged::Deleted => 0,
                    }
            }
            Self::Chunk(id, change) => {
                id.as_str().len()
                    + match change {
                        ChunkChanged::Created { file, replicas, .. } => {
                            file.as_ref().map_or(0, |file| file.as_str().len()) + bytes_of(replicas)
                        }
                        ChunkChanged::Replicas { replicas } => bytes_of(replicas),
                        ChunkChanged::Held { file } => file.as_str().len(),
                        ChunkChanged::Replaced { .. } | ChunkChanged::Released | ChunkChanged::Deleted => 0,
                    }
            }
            Self::Task(node, chunk, _) => node.as_str().len() + chunk.as_str().len(),
        }
    }
}

fn bytes_of(replicas: &[Replica]) -> usize {
    let ids: usize = replicas.iter().map(|replica| replica.node.as_str().len()).sum();
    size_of_val(replicas) + ids
}

impl ChangeKind {
    /// Every kind, in the order of a group.
    pub const ALL: [Self; 5] = [Self::Cluster, Self::Node, Self::File, Self::Chunk, Self::Task];

    /// The word that clients know.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Node => "node",
            Self::File => "file",
            Self::Chunk => "chunk",
            Self::Task => "task",
        }
    }
}
