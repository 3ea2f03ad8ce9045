//! The coordinator's own replicas.

use zephyrfs_core::engine::EngineStatus;

use super::state::Service;

impl Service {
    /// Who makes up the coordinator, as this replica sees it. Answers without asking anybody.
    pub fn cluster_status(&self) -> EngineStatus {
        self.engine.status()
    }
}
