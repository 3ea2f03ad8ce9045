//! Giving a chunk of a new file its replicas: the planned nodes, as far as they still hold good.

use super::{ChunkPlan, RegisterFile};
use crate::id::NodeId;
use crate::rejection::Rejection;
use crate::response::Placement;
use crate::row::{ChunkRow, Replica, ReplicaState};
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
) -> Result<(), Rejection> {
    let mut there = row
        .replicas
        .iter()
        .filter(|replica| is_there(&replica.node, view))
        .count();
    let mut at_limit = false;
    for &target in &plan.targets {
        if there >= command.wanted as usize {
            break;
        }
        let Some(id) = command.nodes.get(target as usize) else {
            continue;
        };
        let takes = view.nodes.get(id).is_some_and(|node| node.takes_replicas());
        if !takes || row.replica_on(id).is_some() {
            continue;
        }
        at_limit = !make_place(row, command.max_replicas, view);
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
    } else {
        Rejection::PlacementStale {
            chunk: plan.id.clone(),
        }
    })
}

/// What the client is told of a chunk: the nodes that it can be sent to, as finding the chunk would answer.
pub(super) fn placement(plan: &ChunkPlan, row: &ChunkRow, view: &View) -> Placement {
    let nodes = row.replicas.iter().map(|replica| &replica.node);
    Placement {
        chunk: plan.id.clone(),
        nodes: nodes.filter(|id| is_there(id, view)).cloned().collect(),
    }
}

/// Whether one more replica may be added. At the limit, the place of a node that was unregistered is given away: what is
/// on it counts for nothing, and must not keep a chunk from being stored.
fn make_place(row: &mut ChunkRow, limit: u32, view: &View) -> bool {
    if row.replicas.len() < limit as usize {
        return true;
    }
    let is_gone = |id: &NodeId| view.nodes.get(id).is_none_or(|node| node.is_removed());
    match row.replicas.iter().position(|replica| is_gone(&replica.node)) {
        Some(gone) => {
            row.replicas.remove(gone);
            true
        }
        None => false,
    }
}

fn is_there(id: &NodeId, view: &View) -> bool {
    view.nodes.get(id).is_some_and(|node| node.serves_reads())
}
