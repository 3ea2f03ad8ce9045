//! Choosing nodes for chunks, and for new nodes to start from: the picture, the promises and the planner put
//! together.

use std::sync::Arc;
use std::time::Instant;

use zephyrfs_core::engine::Freshness;
use zephyrfs_core::id::NodeId;
use zephyrfs_core::placement::Plan;
use zephyrfs_core::units::ByteSize;

use super::error::ServiceError;
use super::picture::Picture;
use super::state::Service;

impl Service {
    /// The nodes, not long ago.
    pub(super) async fn nodes_to_place_on(
        &self,
        deadline: Option<Instant>,
    ) -> Result<Arc<Picture>, ServiceError> {
        let picture = self
            .pictures
            .recent(&*self.engine, &self.promises, &self.brake_policy);
        self.read("the list of nodes", deadline, picture).await
    }

    /// The nodes as a state of this freshness has them.
    pub(super) async fn nodes_read_anew(
        &self,
        freshness: Freshness,
        deadline: Option<Instant>,
    ) -> Result<Arc<Picture>, ServiceError> {
        let picture = self
            .pictures
            .anew(&*self.engine, &self.promises, freshness, &self.brake_policy);
        self.read("the list of nodes", deadline, picture).await
    }

    /// First addresses of some other active nodes, for a node to start from.
    pub(super) async fn peers_for(
        &self,
        node: &NodeId,
        deadline: Option<Instant>,
    ) -> Result<Vec<String>, ServiceError> {
        let picture = self.nodes_to_place_on(deadline).await?;
        Ok(picture.peers_for(node, self.ids.seed()))
    }

    /// Chooses nodes for chunks of these sizes; a chunk for which none has room gets none. Of each chunk's
    /// size so much is promised to its nodes as `new_bytes` says. Each gets so many `spare` nodes more than wanted, for those
    /// that turn out to be of no use.
    pub(super) fn plan(
        &self,
        picture: &Picture,
        sizes: &[ByteSize],
        new_bytes: &[ByteSize],
        spare: usize,
    ) -> Placing {
        let policy = self.policy.placement();
        let wanted = (self.policy.replication_factor as usize).saturating_add(spare);
        let mut ledger = self.promises.open();
        let plan = picture
            .topology
            .plan(sizes, wanted, policy, self.ids.seed(), ledger.since_picture());
        let promised: Vec<_> = plan
            .bytes(new_bytes)
            .filter(|(_, bytes)| *bytes > ByteSize::ZERO)
            .map(|(node, bytes)| (node.clone(), bytes))
            .collect();
        for (node, bytes) in &promised {
            ledger.add(node, *bytes, picture.last_beat(node));
        }
        Placing { plan, promised }
    }

    /// Takes promises back: nothing came of the plan.
    pub(super) fn take_back(&self, promised: &[(NodeId, ByteSize)]) {
        let mut ledger = self.promises.open();
        for (node, bytes) in promised {
            ledger.take_back(node, *bytes);
        }
    }
}

/// A plan, and what it promised to nodes.
pub(super) struct Placing {
    pub(super) plan: Plan,
    pub(super) promised: Vec<(NodeId, ByteSize)>,
}
