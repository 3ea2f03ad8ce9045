//! What may be asked of the coordinator's own replicas, and the honest answers of one that is alone: nothing
//! here changes who they are. Pure: from the state of the cluster to an answer.

use axum::http::StatusCode;
use zephyrfs_core::engine::{EngineStatus, Member};

use super::failure::Failure;

/// More replicas than this vote on nothing faster.
const MAX_REPLICAS: i64 = 99;

/// Whether another member can lead: none can while there is one alone.
///
/// # Errors
/// 404 for an unknown member, 409 otherwise, with what to do.
pub(super) fn transfer_leader(status: &EngineStatus, to: Option<&str>) -> Result<String, Failure> {
    let Some(name) = to else {
        return Err(refused(
            "no other member could lead; start further replicas first (cluster.replicas, cluster.peers)",
        ));
    };
    known(status, name)?;
    Err(refused(match &status.leader {
        Some(leader) if leader == name => format!("{name} leads already"),
        Some(leader) => format!("{name} cannot take over from {leader}"),
        None => {
            "nobody leads just now, so that nobody can hand over; try again when somebody does".to_owned()
        }
    }))
}

/// Whether a member can go: the last one cannot.
///
/// # Errors
/// 404 for an unknown member, 409 otherwise, with what to do.
pub(super) fn remove_member(status: &EngineStatus, name: &str) -> Result<String, Failure> {
    known(status, name)?;
    Err(refused(format!(
        "without {name} no quorum would be left; to end the cluster, stop its process, and to move it, write a backup \
         first (POST /api/v1/admin/database/backup)"
    )))
}

/// Whether there can be so many replicas. As many as there are is done already.
///
/// # Errors
/// 400 for a number that no cluster has, 409 otherwise, with what to do.
pub(super) fn resize(status: &EngineStatus, replicas: i64) -> Result<String, Failure> {
    if !(1..=MAX_REPLICAS).contains(&replicas) {
        return Err(Failure::invalid(format!(
            "replicas: must be from 1 to {MAX_REPLICAS}, got {replicas}"
        )));
    }
    let members = status.members.len();
    if i64::try_from(members) == Ok(replicas) {
        return Ok(format!("the cluster has {members} already"));
    }
    Err(refused(format!(
        "this replica was started as the only one; further replicas are started with cluster.replicas \
         (CLUSTER_REPLICAS) set to {replicas} and cluster.peers (CLUSTER_PEERS) naming all of them"
    )))
}

fn known<'a>(status: &'a EngineStatus, name: &str) -> Result<&'a Member, Failure> {
    status
        .members
        .iter()
        .find(|member| member.name == name)
        .ok_or_else(|| {
            let names: Vec<&str> = status.members.iter().map(|member| member.name.as_str()).collect();
            let details = format!("no member is called {name:?}; there are: {}", names.join(", "));
            Failure::new(StatusCode::NOT_FOUND, "member not found", details).at(status.applied)
        })
}

fn refused(details: impl Into<String>) -> Failure {
    Failure::new(StatusCode::CONFLICT, "refused", details)
}
