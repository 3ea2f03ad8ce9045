//! Choosing nodes for chunks, and for new nodes to start from: the picture, the promises and the planner put together.

use std::sync::Arc;
use std::time::Instant;

use zephyrfs_core::id::NodeId;
use zephyrfs_core::units::ByteSize;

use super::error::ServiceError;
use super::picture::Picture;
use super::placement::Plan;
use super::state::Service;

impl Service {
    /// The nodes, at most a second old.
    pub(super) async fn nodes_to_place_on(
        &self,
        deadline: Option<Instant>,
    ) -> Result<Arc<Picture>, ServiceError> {
        let picture = self.pictures.recent(&*self.engine, &self.promises);
        self.read("the list of nodes", deadline, picture).await
    }

    /// The nodes as they are now, wherever the last change was made.
    pub(super) async fn nodes_read_anew(
        &self,
        deadline: Option<Instant>,
    ) -> Result<Arc<Picture>, ServiceError> {
        let picture = self.pictures.anew(&*self.engine, &self.promises);
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

    /// Chooses nodes for chunks of these sizes. A chunk for which none has room gets none.
    pub(super) fn plan(&self, picture: &Picture, sizes: &[ByteSize]) -> Plan {
        picture.topology.plan(
            sizes,
            self.policy.replication_factor,
            self.ids.seed(),
            &self.promises.all(),
        )
    }
}
