//! Why a chunk would, or would not, go to each node.

use super::candidate::{Candidate, Exclusion};
use crate::id::NodeId;
use crate::row::ChunkRow;

/// For each candidate, whether the chunk could be placed on it now, or what excludes it. By the same filters as plans.
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
    candidates
        .into_iter()
        .map(|candidate| (candidate.id.clone(), judge(candidate)))
        .collect()
}
