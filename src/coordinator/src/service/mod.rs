//! What the coordinator does for its clients, whichever API they come by.
//!
//! Inputs are plain structs of values nobody has checked yet; `validate` turns them into the rules' own
//! types, the engine orders commands and answers reads, and the results are the rules' own types again.
//! Nothing here knows gRPC, HTTP or JSON. Operations are found by noun: nodes, liveness (heartbeats),
//! registration (of files), files, chunks, network, tasks, watch, why, cluster, admin.

mod admin;
mod admission;
mod backup;
mod brake;
mod chunks;
mod cluster;
mod deadline;
mod drains;
mod engine;
mod engine_error;
mod error;
mod files;
mod fingerprint;
mod freshness;
mod heartbeats;
mod housekeeping;
mod ids;
mod inventory;
mod lack;
mod limits;
mod liveness;
mod network;
mod nodes;
mod page;
mod picture;
mod placing;
mod policy;
mod promises;
mod registration;
mod repair;
mod request;
mod state;
mod tasks;
pub(crate) mod throttle;
mod validate;
mod watch;
mod why;
mod windows;

pub use admin::DatabaseStats;
pub use backup::Backup;
pub use brake::{BrakeReleased, RepairStatus};
pub use chunks::{ChunkDetails, ChunkExplanation, ChunkLocation, ExplainedCandidate, ExplainedReplica};
pub(crate) use deadline::PATIENCE;
pub(crate) use drains::MAX_NAMED_CHUNKS;
pub use drains::{DrainStatus, LeftChunk, NodeStateSet, TooFewNodes};
pub use error::{InvalidField, ServiceError};
pub use files::{FileChunkDetails, FileDetails, FileSummary};
pub use housekeeping::Reclaimed;
pub use ids::IdSource;
pub use inventory::{Inventory, InventoryTaken};
pub use limits::Limits;
pub use network::{NetworkStats, NetworkStatus, NetworkSummary};
pub use nodes::{NodeDetails, RegisteredNode};
pub use page::ListPage;
pub use policy::Policy;
pub use registration::RegisteredFile;
pub use repair::{PassReport, Repair, RepairReport};
pub use request::{
    ActiveNodesQuery, ChunkDescription, FileRegistration, HeartbeatReport, LocationUpdate, LocationsQuery,
    NodeListQuery, NodeRegistration, NodeRemoval, NodeStateRequest, PageQuery, ReportedStats, RequestContext,
    TaskListQuery, WatchQuery,
};
pub use state::Service;
pub use tasks::TaskDetails;
pub use watch::{ChangeDetails, ChangedReplica, CutOff, Watch, Watched, Watchers};
pub use why::{ChunkFacts, NodeFacts, TaskCount, Why, WhyReplica};
pub use windows::NotableBeat;
pub use zephyrfs_core::engine::{At, Consistency, Freshness};
