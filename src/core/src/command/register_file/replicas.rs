//! Giving a chunk of a new file its replicas: the planned nodes, as far as they still hold good.

use super::{ChunkPlan, RegisterFile};
use crate::command::copies::{COPIES, count, is_there, make_place};
use crate::effects::Mutation;
use crate::rejection::Rejection;
use crate::response::Placement;
use crate::row::{ChunkRow, NodeRow, Replica, ReplicaState};
use crate::view::View;

/// Adds planned nodes to a chunk while it has fewer replicas than wanted on nodes that clients can be sent to.
///
/// # Errors
/// A [`Rejection`] if the chunk would have no such node at all: then the client could bring its content nowhere.
pub(super) fn assign(
    command: &RegisterFile,
    plan: &ChunkPlan,
    row: &mut ChunkRow,
    view: &View,
    mutations: &mut Vec<Mutation>,
) -> Result<(), Rejection> {
    let mut there = count(row, &COPIES, view, NodeRow::serves_reads);
    let mut at_limit = false;
    let mut deleting = false;
    for &target in &plan.targets {
        if there >= command.wanted as usize {
            break;
        }
        let Some(id) = command.nodes.get(target as usize) else {
            continue;
        };
        let takes = view.nodes.get(id).is_some_and(|node| node.takes_replicas());
        let replica = row.replica_on(id);
        deleting |= replica.is_some_and(|replica| replica.state == ReplicaState::Deleting);
        if !takes || replica.is_some() {
            continue;
        }
        let dropped = |node| mutations.push(Mutation::DeleteTask(node, plan.id.clone()));
        at_limit = !make_place(row, command.max_replicas, view, dropped);
        if at_limit {
            break;
        }
        row.replicas.push(Replica {
            node: id.clone(),
            state: ReplicaState::Assigned,
        });
        there += 1;
    }
    if there > 0 {
        return Ok(());
    }
    Err(if plan.targets.is_empty() {
        Rejection::NoRoom {
            chunk: plan.id.clone(),
            size: plan.size,
        }
    } else if at_limit {
        Rejection::TooManyReplicas {
            chunk: plan.id.clone(),
            limit: command.max_replicas,
        }
    } else if deleting {
        Rejection::ChunkBeingDeleted {
            chunk: plan.id.clone(),
        }
    } else {
        Rejection::PlacementStale {
            chunk: plan.id.clone(),
        }
    })
}

/// What the client is told of a chunk: the nodes that it can be sent to, as finding the chunk would answer.
pub(super) fn placement(plan: &ChunkPlan, row: &ChunkRow, view: &View) -> Placement {
    let copies = |replica: &&Replica| replica.state != ReplicaState::Deleting;
    let nodes = row.replicas.iter().filter(copies).map(|replica| &replica.node);
    Placement {
        chunk: plan.id.clone(),
        nodes: nodes.filter(|id| is_there(id, view)).cloned().collect(),
    }
}
