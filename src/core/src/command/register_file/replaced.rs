//! A chunk's id that stands for other content from now on: nodes that have the old content, and were not chosen for the
//! new, are told to drop it. So are unregistered ones: if they come back, what they have is not what they say they have.

use crate::command::copies::{NewTask, delete_copies};
use crate::effects::Mutation;
use crate::id::{ChunkId, NodeId};
use crate::row::{ChunkRow, Replica, ReplicaState};

/// Sees to the copies of the old content. A node that was chosen for the new one overwrites its copy, so that whatever
/// it had to do with the old one is void.
pub(super) fn delete_old_copies(
    id: &ChunkId,
    old: &ChunkRow,
    row: &mut ChunkRow,
    new_task: &NewTask<'_>,
    mutations: &mut Vec<Mutation>,
) {
    let mut outdated = Vec::new();
    for replica in &old.replicas {
        match (replica.state, row.replica_on(&replica.node)) {
            (ReplicaState::Deleting, _) => {}
            (ReplicaState::Assigned | ReplicaState::Stored, None) => outdated.push(Replica::clone(replica)),
            (ReplicaState::Assigned, Some(_)) => {
                mutations.push(Mutation::DeleteTask(replica.node.clone(), id.clone()));
            }
            (ReplicaState::Stored, Some(_)) => {}
        }
    }
    let is_outdated: Vec<_> = outdated.iter().map(|replica| replica.node.clone()).collect();
    row.replicas.append(&mut outdated);
    let only = |node: &NodeId| is_outdated.contains(node);
    delete_copies(id, row, only, new_task, mutations);
}
