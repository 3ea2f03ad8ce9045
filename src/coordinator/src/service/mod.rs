//! What the coordinator does for its clients, whichever API they come by.
//!
//! Inputs are plain structs of values nobody has checked yet; [`validate`] turns them into the rules' own types, the
//! engine orders commands and answers reads, and the results are the rules' own types again. Nothing here knows gRPC,
//! HTTP or JSON. Operations are found by noun: nodes, files, chunks, network, tasks, cluster, admin.

mod admin;
mod chunks;
mod cluster;
mod context;
mod error;
mod files;
mod ids;
mod limits;
mod network;
mod nodes;
mod page;
mod policy;
mod tasks;

use std::path::PathBuf;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use zephyrfs_core::Engine;

pub use admin::{Backup, DatabaseStats, Reclaimed};
pub use chunks::{
    ChunkDetails, ChunkExplanation, ChunkLocation, ExplainedCandidate, ExplainedReplica, LocationUpdate,
    LocationsQuery,
};
pub use context::RequestContext;
pub use error::{InvalidField, ServiceError};
pub use files::{
    ChunkDescription, FileChunkDetails, FileDetails, FileRegistration, FileSummary, RegisteredFile,
};
pub use ids::IdSource;
pub use limits::Limits;
pub use network::{NetworkStats, NetworkStatus, NetworkSummary};
pub use nodes::{
    ActiveNodesQuery, HeartbeatReport, NodeDetails, NodeListQuery, NodeRegistration, NodeRemoval,
    NodeStateRequest, RegisteredNode, ReportedStats,
};
pub use page::{ListPage, PageQuery};
pub use policy::Policy;
pub use tasks::{TaskDetails, TaskListQuery};
pub use zephyrfs_core::engine::{At, Consistency, Freshness};

/// The operations of the coordinator. One for each process, shared by the APIs.
pub struct Service {
    engine: Arc<dyn Engine>,
    limits: Limits,
    policy: Policy,
    data_dir: PathBuf,
    ids: IdSource,
}

impl Service {
    /// A service over an engine. Backups go to `backups` in `data_dir`.
    pub fn new(
        engine: Arc<dyn Engine>,
        limits: Limits,
        policy: Policy,
        data_dir: PathBuf,
        ids: IdSource,
    ) -> Self {
        Self {
            engine,
            limits,
            policy,
            data_dir,
            ids,
        }
    }

    /// The limits that requests are held to.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Proposes the heartbeats that came in, once in every flush interval, until `stop` is cancelled; what is left then is
    /// proposed before this returns. The process runs exactly one of these.
    pub async fn flush_heartbeats_until(&self, stop: CancellationToken) {
        todo!()
    }
}
