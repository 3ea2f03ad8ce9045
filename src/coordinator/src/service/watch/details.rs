//! A change as clients see it: flat, in the words of both APIs.

use zephyrfs_core::event::{
    Change, ChunkChanged, ClusterChanged, EventGroup, FileChanged, FileContent, NodeChanged, TaskChanged,
};
use zephyrfs_core::id::{ChunkId, FileId, NodeId, TaskId};
use zephyrfs_core::row::Replica;
use zephyrfs_core::units::{AppliedIndex, ByteSize, Timestamp};

/// What a watcher is given: a change, or how far the replica is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// Where to go on if this is the last that came.
    pub resume_after: AppliedIndex,
    /// The change; `None` if this only tells how far the replica is.
    pub details: Option<Box<ChangeDetails>>,
}

/// A change in the words of the APIs. What does not apply is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangeDetails {
    /// Where in the order it happened.
    pub index: AppliedIndex,
    /// When.
    pub at: Timestamp,
    /// `node`, `file`, `chunk`, `task` or `cluster`.
    pub kind: &'static str,
    /// What happened.
    pub change: &'static str,
    /// The node.
    pub node: Option<NodeId>,
    /// The file.
    pub file: Option<FileId>,
    /// The chunk.
    pub chunk: Option<ChunkId>,
    /// The task.
    pub task: Option<TaskId>,
    /// A node's status.
    pub status: Option<&'static str>,
    /// What it was before.
    pub previous_status: Option<&'static str>,
    /// Why a node was unregistered, or a task made.
    pub reason: Option<String>,
    /// A file's name.
    pub name: Option<String>,
    /// The length of a file or chunk.
    pub size: Option<ByteSize>,
    /// How many chunks a file has.
    pub chunk_count: Option<usize>,
    /// A chunk's replicas.
    pub replicas: Option<Vec<ChangedReplica>>,
    /// What a task is to do.
    pub task_type: Option<&'static str>,
    /// How often a node was given time for a task.
    pub attempt: Option<u32>,
    /// Until when a task is the node's alone.
    pub deadline: Option<Timestamp>,
    /// The term of a leader of the coordinator.
    pub term: Option<u64>,
    /// Replicas of the coordinator that vote.
    pub voters: Option<Vec<String>>,
    /// Those that learn.
    pub learners: Option<Vec<String>>,
}

/// A replica of a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedReplica {
    /// The node.
    pub node: NodeId,
    /// `assigned`, `stored` or `deleting`.
    pub state: &'static str,
}

impl Watched {
    /// How far the replica is.
    pub(super) const fn through(index: AppliedIndex) -> Self {
        Self {
            resume_after: index,
            details: None,
        }
    }

    /// A change of a group. Not before the last one that the watcher wants of it is it done with the index. It is put into
    /// words at once: the group itself may be large, and who waits for the watcher should not keep it.
    pub(super) fn change(group: &EventGroup, change: &Change, is_last: bool) -> Self {
        let before = AppliedIndex::new(group.index.get().saturating_sub(1));
        let about = ChangeDetails {
            index: group.index,
            at: group.at,
            kind: change.kind().as_str(),
            ..ChangeDetails::default()
        };
        let details = match change.clone() {
            Change::Cluster(change) => of_cluster(change, about),
            Change::Node(id, change) => of_node(id, change, about),
            Change::File(id, change) => of_file(id, change, about),
            Change::Chunk(id, change) => of_chunk(id, change, about),
            Change::Task(node, chunk, change) => ChangeDetails {
                node: Some(node),
                chunk: Some(chunk),
                ..of_task(&change, about)
            },
        };
        Self {
            resume_after: if is_last { group.index } else { before },
            details: Some(Box::new(details)),
        }
    }
}

fn of_cluster(change: ClusterChanged, about: ChangeDetails) -> ChangeDetails {
    match change {
        ClusterChanged::TermBegan { term } => ChangeDetails {
            change: "term_began",
            term: Some(term),
            ..about
        },
        ClusterChanged::Members { voters, learners } => ChangeDetails {
            change: "members_changed",
            voters: Some(voters),
            learners: Some(learners),
            ..about
        },
    }
}

fn of_node(id: NodeId, change: NodeChanged, about: ChangeDetails) -> ChangeDetails {
    let about = ChangeDetails {
        node: Some(id),
        ..about
    };
    match change {
        NodeChanged::Registered { status } => ChangeDetails {
            change: "registered",
            status: Some(status.as_str()),
            ..about
        },
        NodeChanged::Status { from, to } => ChangeDetails {
            change: "status_changed",
            status: Some(to.as_str()),
            previous_status: Some(from.as_str()),
            ..about
        },
        NodeChanged::Updated => ChangeDetails {
            change: "updated",
            ..about
        },
        NodeChanged::Unregistered { reason } => ChangeDetails {
            change: "unregistered",
            reason: Some(reason),
            ..about
        },
    }
}

fn of_file(id: FileId, change: FileChanged, about: ChangeDetails) -> ChangeDetails {
    let about = ChangeDetails {
        file: Some(id),
        ..about
    };
    let with = |change, FileContent { name, size, chunks }, about| ChangeDetails {
        change,
        name: Some(name),
        size: Some(size),
        chunk_count: Some(chunks),
        ..about
    };
    match change {
        FileChanged::Registered(content) => with("registered", content, about),
        FileChanged::Replaced(content) => with("replaced", content, about),
        FileChanged::Updated { name } => ChangeDetails {
            change: "updated",
            name: Some(name),
            ..about
        },
        FileChanged::Deleted => ChangeDetails {
            change: "deleted",
            ..about
        },
    }
}

fn of_chunk(id: ChunkId, change: ChunkChanged, about: ChangeDetails) -> ChangeDetails {
    let about = ChangeDetails {
        chunk: Some(id),
        ..about
    };
    match change {
        ChunkChanged::Created { file, size, replicas } => ChangeDetails {
            change: "created",
            file,
            size: Some(size),
            replicas: Some(in_words(replicas)),
            ..about
        },
        ChunkChanged::Replaced { size } => ChangeDetails {
            change: "replaced",
            size: Some(size),
            ..about
        },
        ChunkChanged::Held { file } => ChangeDetails {
            change: "held",
            file: Some(file),
            ..about
        },
        ChunkChanged::Released => ChangeDetails {
            change: "released",
            ..about
        },
        ChunkChanged::Replicas { replicas } => ChangeDetails {
            change: "replicas_changed",
            replicas: Some(in_words(replicas)),
            ..about
        },
        ChunkChanged::Deleted => ChangeDetails {
            change: "deleted",
            ..about
        },
    }
}

fn in_words(replicas: Box<[Replica]>) -> Vec<ChangedReplica> {
    let in_words = |Replica { node, state }| ChangedReplica {
        node,
        state: state.as_str(),
    };
    replicas.into_iter().map(in_words).collect()
}

fn of_task(change: &TaskChanged, about: ChangeDetails) -> ChangeDetails {
    match *change {
        TaskChanged::Made {
            id,
            kind,
            reason,
            deadline,
        } => ChangeDetails {
            change: "made",
            task: Some(id),
            task_type: Some(kind.as_str()),
            reason: Some(reason.as_str().to_owned()),
            deadline: Some(deadline),
            ..about
        },
        TaskChanged::Renewed {
            id,
            kind,
            attempt,
            deadline,
        } => ChangeDetails {
            change: "renewed",
            task: Some(id),
            task_type: Some(kind.as_str()),
            attempt: Some(attempt),
            deadline: Some(deadline),
            ..about
        },
        TaskChanged::Ended { id, kind } => ChangeDetails {
            change: "ended",
            task: Some(id),
            task_type: Some(kind.as_str()),
            ..about
        },
    }
}
