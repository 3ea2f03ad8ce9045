//! The coordinator's own replicas: who they are, and changes to them.

use std::sync::Arc;

use tracing::info;
use zephyrfs_core::engine::{At, ClusterChange, EngineStatus};

use super::deadline::{is_over, left};
use super::engine_error::translate_cluster;
use super::error::ServiceError;
use super::request::RequestContext;
use super::state::Service;
use super::validate;

impl Service {
    /// Who makes up the coordinator, as this replica sees it. Answers without asking anybody.
    pub fn cluster_status(&self) -> EngineStatus {
        self.engine.status()
    }

    /// Where clients reach the leader's gRPC API, if there is a leader and it says so.
    pub fn leader_address(&self) -> Option<Arc<str>> {
        self.engine.leader_address()
    }

    /// Hands leadership to the member `to`, or to whichever is furthest along. The answer says in words what was done.
    ///
    /// # Errors
    /// [`ServiceError`]; `NoSuchMember`, or `ClusterRefused` if that member cannot lead.
    pub async fn transfer_leader(
        &self,
        to: Option<String>,
        context: RequestContext,
    ) -> Result<At<String>, ServiceError> {
        let to = to
            .map(|name| validate::id(&self.limits, "to", name))
            .transpose()?;
        self.change_cluster(ClusterChange::TransferLeader { to }, &context)
            .await
    }

    /// Takes a member out. The answer says in words what was done.
    ///
    /// # Errors
    /// [`ServiceError`]; `NoSuchMember`, or `ClusterRefused` if no quorum would be left.
    pub async fn remove_member(
        &self,
        name: String,
        context: RequestContext,
    ) -> Result<At<String>, ServiceError> {
        let name = validate::id(&self.limits, "name", name)?;
        self.change_cluster(ClusterChange::RemoveMember { name }, &context)
            .await
    }

    /// Sets how many voters there are to be. The answer says in words what was done.
    ///
    /// # Errors
    /// [`ServiceError`]; `ClusterRefused` if there cannot be so many, with what to do about it.
    pub async fn resize_cluster(
        &self,
        replicas: i64,
        context: RequestContext,
    ) -> Result<At<String>, ServiceError> {
        let replicas = validate::replicas("replicas", replicas)?;
        self.change_cluster(ClusterChange::Resize { replicas }, &context)
            .await
    }

    async fn change_cluster(
        &self,
        change: ClusterChange,
        context: &RequestContext,
    ) -> Result<At<String>, ServiceError> {
        if is_over(context.deadline) {
            return Err(ServiceError::DeadlineExceeded {
                reason: "the deadline passed before the change was begun; nothing was changed".to_owned(),
            });
        }
        let result = self
            .engine
            .change_cluster(change.clone(), left(context.deadline))
            .await;
        let value = result.map_err(translate_cluster)?;
        info!(?change, outcome = value, "Cluster changed");
        let index = self.engine.totals().index;
        Ok(At { index, value })
    }
}
