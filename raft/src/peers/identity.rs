//! Who speaks to whom: every message between replicas says so, and is answered only by whom it is meant for.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use openraft::type_config::AsyncRuntime;
use zephyrfs_proto::peer::Route;

use super::api::PeerError;
use crate::log::LogStore;

/// This replica, as it names itself in messages.
pub(crate) struct Whoami<R: AsyncRuntime> {
    log: LogStore<R>,
    /// Senders whose messages were refused, each of which is logged once.
    refused: Mutex<HashSet<(String, u64, u64)>>,
}

/// More refused senders than this are not told apart any more.
const MAX_REFUSED: usize = 1_000;

impl<R: AsyncRuntime> Whoami<R> {
    pub(crate) fn new(log: LogStore<R>) -> Arc<Self> {
        Arc::new(Self {
            log,
            refused: Mutex::default(),
        })
    }

    /// How a message to a replica begins.
    pub(crate) fn route_to(&self, to: u64) -> Route {
        let identity = self.log.identity();
        Route {
            cluster_id: identity.cluster_id.clone(),
            from: identity.raft_id,
            to,
        }
    }

    /// Whether a message is meant for this replica and comes from its cluster.
    ///
    /// # Errors
    /// [`PeerError::Stranger`], [`PeerError::Malformed`].
    pub(crate) fn check(&self, route: Option<&Route>) -> Result<u64, PeerError> {
        let route = route.ok_or_else(|| PeerError::Malformed("it does not say for whom it is".to_owned()))?;
        let identity = self.log.identity();
        let is_ours = !identity.cluster_id.is_empty() && route.cluster_id == identity.cluster_id;
        if is_ours && route.to == identity.raft_id {
            return Ok(route.from);
        }
        let problem = if is_ours {
            format!(
                "it is for replica {:016x}, and this is {:016x}",
                route.to, identity.raft_id
            )
        } else {
            format!(
                "it comes from cluster {:?}, and this replica belongs to {:?}",
                route.cluster_id, identity.cluster_id
            )
        };
        self.log_once(route, &problem);
        Err(PeerError::Stranger(problem))
    }

    fn log_once(&self, route: &Route, problem: &str) {
        if self.log.identity().cluster_id.is_empty() {
            // Taken in just now, and not told yet of which cluster.
            return;
        }
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let sender = (route.cluster_id.clone(), route.from, route.to);
        if refused.len() < MAX_REFUSED && refused.insert(sender) {
            tracing::warn!(
                from = format!("{:016x}", route.from),
                problem,
                "A message between replicas is refused; further ones of this sender are not logged"
            );
        }
    }
}
