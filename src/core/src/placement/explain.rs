//! Why a chunk would, or would not, go to each node.

use super::candidate::{Candidate, Exclusion};
use crate::id::NodeId;
use crate::row::{ChunkRow, ReplicaState};

/// For each candidate that has no copy, whether the chunk could be placed on it now, or what excludes it, by the same
/// filters as plans. One that is to drop its copy cannot take another.
pub fn explain<'a>(
    chunk: &'a ChunkRow,
    candidates: impl IntoIterator<Item = &'a Candidate>,
) -> Vec<(NodeId, Result<(), Exclusion>)> {
    let judge = |candidate: &Candidate| {
        if chunk.replica_on(&candidate.id).is_some() {
            return Err(Exclusion::AlreadyHolds);
        }
        candidate.exclusion(chunk.size).map_or(Ok(()), Err)
    };
    let is_other = |candidate: &&Candidate| {
        let replica = chunk.replica_on(&candidate.id);
        replica.is_none_or(|replica| replica.state == ReplicaState::Deleting)
    };
    candidates
        .into_iter()
        .filter(is_other)
        .map(|candidate| (candidate.id.clone(), judge(candidate)))
        .collect()
}
