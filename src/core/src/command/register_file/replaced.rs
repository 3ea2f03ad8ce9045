//! A chunk's id that stands for other content from now on: nodes that have the old content, and were not chosen for the
//! new, are told to drop it.

use super::{ChunkPlan, RegisterFile};
use crate::command::copies::{NewTask, delete_copies};
use crate::context::Context;
use crate::effects::Mutation;
use crate::id::RequestId;
use crate::row::{ChunkRow, Replica, ReplicaState, TaskReason};
use crate::view::View;

/// Sees to the copies of the old content. A node that was chosen for the new one overwrites its copy, so that whatever
/// it had to do with the old one is void.
pub(super) fn delete_old_copies(
    command: &RegisterFile,
    request: RequestId,
    plan: &ChunkPlan,
    old: &ChunkRow,
    row: &mut ChunkRow,
    view: &View,
    context: &Context,
    mutations: &mut Vec<Mutation>,
) {
    let mut outdated = Vec::new();
    for replica in &old.replicas {
        match (replica.state, row.replica_on(&replica.node)) {
            (ReplicaState::Deleting, _) => {}
            (ReplicaState::Assigned | ReplicaState::Stored, None) => outdated.push(Replica::clone(replica)),
            (ReplicaState::Assigned, Some(_)) => {
                mutations.push(Mutation::DeleteTask(replica.node.clone(), plan.id.clone()));
            }
            (ReplicaState::Stored, Some(_)) => {}
        }
    }
    let new_task = NewTask {
        request,
        reason: TaskReason::Replaced,
        time: command.task_time,
        context,
    };
    let is_outdated: Vec<_> = outdated.iter().map(|replica| replica.node.clone()).collect();
    row.replicas.append(&mut outdated);
    delete_copies(
        &plan.id,
        row,
        |node| is_outdated.contains(node),
        view,
        &new_task,
        mutations,
    );
}
