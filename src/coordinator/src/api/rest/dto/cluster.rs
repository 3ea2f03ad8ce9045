//! The coordinator's own replicas.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zephyrfs_core::engine::{EngineStatus, Member};

use super::bounded::Id;
use crate::api::rest::number::Whole;

/// Who makes up the coordinator, as the replica that answers sees it.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct ClusterStatus {
    /// What all replicas have in common.
    cluster_id: String,
    /// `raft` or `postgres`.
    engine: &'static str,
    /// The leader's name; null while there is none.
    leader: Option<String>,
    /// Where clients reach the leader's gRPC API; null where that is not known.
    leader_address: Option<String>,
    /// Why the replica that answers should not be asked now; null if it should.
    not_ready: Option<String>,
    term: u64,
    commit_index: u64,
    applied_index: u64,
    /// How many voters can be lost with the service still up.
    failure_tolerance: u32,
    members: Vec<ClusterMember>,
}

/// A replica of the coordinator.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct ClusterMember {
    name: String,
    /// Its identity in the consensus; new after it lost its disk.
    raft_id: u64,
    /// `voter` or `learner`.
    role: &'static str,
    /// Where its peers reach it.
    address: String,
    /// Whether the leader hears from it.
    healthy: bool,
    /// Entries behind the leader.
    lag: u64,
}

impl From<EngineStatus> for ClusterStatus {
    fn from(status: EngineStatus) -> Self {
        let EngineStatus {
            engine,
            cluster_id,
            leader,
            leader_address,
            term,
            committed,
            applied,
            failure_tolerance,
            members,
            not_ready,
            failed: _,
            leads: _,
        } = status;
        Self {
            cluster_id,
            engine,
            leader,
            leader_address,
            not_ready,
            term,
            commit_index: committed.get(),
            applied_index: applied.get(),
            failure_tolerance,
            members: members.into_iter().map(ClusterMember::from).collect(),
        }
    }
}

impl From<Member> for ClusterMember {
    fn from(member: Member) -> Self {
        let Member {
            name,
            raft_id,
            voter,
            address,
            healthy,
            lag,
        } = member;
        Self {
            name,
            raft_id,
            role: if voter { "voter" } else { "learner" },
            address,
            healthy,
            lag,
        }
    }
}

/// Who is to lead.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(examples(json!({"to": null})))]
pub(in crate::api::rest) struct TransferLeaderRequest {
    /// A member's name; null or left out: whichever member is furthest along.
    #[schema(value_type = Option<Id>)]
    pub(in crate::api::rest) to: Option<String>,
}

/// How many replicas there are to be.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(examples(json!({"replicas": 3})))]
pub(in crate::api::rest) struct ResizeRequest {
    #[schema(value_type = u32, minimum = 1, maximum = 99)]
    pub(in crate::api::rest) replicas: Whole,
}
