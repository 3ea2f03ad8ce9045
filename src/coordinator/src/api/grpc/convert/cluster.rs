//! The coordinator's own replicas.

use zephyrfs_core::engine::{EngineStatus, Member};
use zephyrfs_proto::coordinator as wire;

use super::super::status::FromAnswer;
use crate::api::saturate::to_i32;

impl FromAnswer<EngineStatus> for wire::GetClusterStatusResponse {
    fn done(status: EngineStatus) -> Self {
        let EngineStatus {
            engine,
            cluster_id,
            leader,
            leader_address,
            leads: _,
            term,
            committed,
            applied,
            failure_tolerance,
            members,
            not_ready,
            failed: _,
        } = status;
        Self {
            cluster_id,
            engine: engine.to_owned(),
            leader: leader.unwrap_or_default(),
            term,
            commit_index: committed.get(),
            applied_index: applied.get(),
            failure_tolerance: to_i32(failure_tolerance.into()),
            members: members.into_iter().map(member).collect(),
            leader_address: leader_address.unwrap_or_default(),
            not_ready: not_ready.unwrap_or_default(),
        }
    }

    fn refused(_: String) -> Option<Self> {
        None
    }
}

impl FromAnswer<String> for wire::ClusterChangeResponse {
    fn done(message: String) -> Self {
        let success = true;
        Self { success, message }
    }

    fn refused(message: String) -> Option<Self> {
        let success = false;
        Some(Self { success, message })
    }
}

fn member(member: Member) -> wire::ClusterMember {
    let Member {
        name,
        raft_id,
        voter,
        address,
        healthy,
        lag,
    } = member;
    wire::ClusterMember {
        name,
        raft_id,
        role: if voter { "voter" } else { "learner" }.to_owned(),
        address,
        healthy,
        lag,
    }
}

#[cfg(test)]
mod tests {
    use zephyrfs_core::engine::{EngineStatus, Member};
    use zephyrfs_core::units::AppliedIndex;
    use zephyrfs_proto::coordinator as wire;

    use super::super::super::status::FromAnswer as _;

    #[test]
    fn a_cluster_without_a_leader_names_none() {
        let member = |name: &str, voter| Member {
            name: name.to_owned(),
            raft_id: 11,
            voter,
            address: "h:1".to_owned(),
            healthy: true,
            lag: 2,
        };
        let response = wire::GetClusterStatusResponse::done(EngineStatus {
            engine: "raft",
            cluster_id: "id".to_owned(),
            leader: None,
            leader_address: None,
            leads: false,
            term: 3,
            committed: AppliedIndex::new(5),
            applied: AppliedIndex::new(4),
            failure_tolerance: 1,
            members: vec![member("a", true), member("b", false)],
            not_ready: Some("starting".to_owned()),
            failed: None,
        });
        assert_eq!(response.not_ready, "starting");
        assert_eq!((response.leader.as_str(), response.engine.as_str()), ("", "raft"));
        assert_eq!(
            (response.term, response.commit_index, response.applied_index),
            (3, 5, 4)
        );
        let roles: Vec<_> = response
            .members
            .iter()
            .map(|member| member.role.as_str())
            .collect();
        assert_eq!(roles, ["voter", "learner"]);
        assert_eq!((response.members[0].raft_id, response.members[0].lag), (11, 2));
    }
}
