//! Why a chunk would, or would not, go to each node.

use super::candidate::{Candidate, Exclusion};
use super::domain::{LEVELS, NAMES};
use super::plan::Policy;
use super::room::Purpose;
use super::spread::stretches;
use super::topology::Topology;
use crate::id::NodeId;
use crate::row::{ChunkRow, ReplicaState};

/// For each candidate, whether one more copy of the chunk could be placed on it now, or what excludes it. By the same
/// filters, and the same order of failure domains, as plans.
pub fn explain(
    chunk: &ChunkRow,
    candidates: &[Candidate],
    topology: &Topology,
    policy: Policy,
    purpose: Purpose,
) -> Vec<(NodeId, Result<(), Exclusion>)> {
    let kept = chunk.replicas.iter();
    let kept = kept.filter(|replica| replica.state != ReplicaState::Deleting);
    let kept: Vec<NodeId> = kept.map(|replica| replica.node.clone()).collect();
    let mut spread = Vec::new();
    stretches(
        topology,
        &topology.places(&kept),
        policy.geographic_spread,
        &mut spread,
    );
    let shared = |candidate: &Candidate| {
        let place = topology.place(&candidate.id)?;
        let stretch = spread.iter().find(|stretch| stretch.leaves.contains(&place))?;
        Some(stretch.shared)
    };
    let filtered = |candidate: &Candidate| {
        if chunk.replica_on(&candidate.id).is_some() {
            return Some(Exclusion::AlreadyHolds);
        }
        candidate.exclusion(chunk.size, purpose)
    };
    let fits = |candidate: &&Candidate| filtered(candidate).is_none();
    let best = candidates.iter().filter(fits).filter_map(shared).min();
    let judge = |candidate: &Candidate| {
        if let Some(exclusion) = filtered(candidate) {
            return Err(exclusion);
        }
        match (shared(candidate), best) {
            (Some(shared), Some(best)) if shared > best => Err(Exclusion::SharesDomain {
                level: NAMES[level_of_difference(shared, best)],
            }),
            _ => Ok(()),
        }
    };
    candidates
        .iter()
        .map(|candidate| (candidate.id.clone(), judge(candidate)))
        .collect()
}

/// The widest level at which two different numbers of sharers differ.
fn level_of_difference(one: u32, other: u32) -> usize {
    let from_the_widest = (one ^ other).leading_zeros() / 8;
    (from_the_widest as usize).min(LEVELS - 1)
}
