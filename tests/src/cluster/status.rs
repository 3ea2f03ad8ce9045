//! What a replica says of the cluster.

use serde::Deserialize;

use crate::rest::Rest;

/// The answer of `GET /api/v1/cluster`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ClusterStatus {
    /// What all replicas have in common.
    pub cluster_id: String,
    /// The leader's name, if the replica knows one.
    pub leader: Option<String>,
    /// The term.
    pub term: u64,
    /// The last index known to be committed.
    pub commit_index: u64,
    /// The last index applied.
    pub applied_index: u64,
    /// How many voters can be lost with the service still up.
    pub failure_tolerance: u32,
    /// The members.
    pub members: Vec<MemberStatus>,
}

/// A member, as a replica sees it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct MemberStatus {
    /// Its name.
    pub name: String,
    /// Its identity in the consensus; new after it lost its disk.
    pub raft_id: u64,
    /// `voter` or `learner`.
    pub role: String,
    /// Where its peers reach it.
    pub address: String,
    /// Whether the leader hears from it.
    pub healthy: bool,
    /// Entries behind the leader.
    pub lag: u64,
}

impl ClusterStatus {
    /// The member with a name.
    pub fn member(&self, name: &str) -> Option<&MemberStatus> {
        self.members.iter().find(|member| member.name == name)
    }

    /// Asks a replica.
    ///
    /// # Errors
    /// Why there is no answer of this form.
    pub(super) async fn ask(rest: &Rest) -> Result<Self, String> {
        let answer = rest.send("GET", "/api/v1/cluster", None).await;
        let answer = answer.map_err(|error| format!("{} does not answer: {error}", rest.base()))?;
        serde_json::from_value(answer.body.clone()).map_err(|error| format!("{error}: {answer:?}"))
    }
}
