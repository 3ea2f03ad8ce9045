//! The JSON forms of requests and answers, by noun, and how they convert to and from the service's types.
//!
//! Names of fields are part of the API. What a request may leave out may be null too. Bounds of values are
//! described in [`bounded`] and enforced by the service.

mod admin;
mod bounded;
mod chunk;
mod cluster;
mod drain;
mod error;
mod file;
mod file_registration;
mod heartbeat;
mod list;
mod network;
mod node;
mod node_registration;
mod node_state;
mod repair;
mod success;
mod task;
mod time;
mod watch;
mod welcome;
mod why;

pub(super) use admin::{BackupResponse, CleanupResponse, DatabaseStatsResponse};
pub(super) use bounded::{
    ChangeKindWord, Id, IdempotencyKey, NamedChunkCount, NodeIds, NodeStatusWord, PageLimit, PageToken, Span,
    TaskPageToken, TaskStateWord, fill_in,
};
pub(super) use chunk::{
    ChunkDetails, ChunkExplanation, FindChunkLocationsResponse, UpdateChunkLocationsRequest,
};
pub(super) use cluster::{ClusterStatus, ResizeRequest, TransferLeaderRequest};
pub(super) use drain::{DrainRecord, DrainRequest};
pub(super) use error::ErrorBody;
pub(super) use file::{FileSummary, GetFileInfoResponse};
pub(super) use file_registration::{ChunkMetadata, RegisterFileRequest, RegisterFileResponse};
pub(super) use heartbeat::{NodeHeartbeatRequest, NodeHeartbeatResponse};
pub(super) use list::List;
pub(super) use network::{GetNetworkStatusResponse, NetworkStatsResponse};
pub(super) use node::{GetActiveNodesResponse, NodeRecord};
pub(super) use node_registration::{RegisterNodeRequest, RegisterNodeResponse, UnregisterNodeRequest};
pub(super) use node_state::{MaintenanceRequest, NodeStateResponse};
pub(super) use repair::{ReleaseRepairResponse, RepairRecord};
pub(super) use success::{Success, SuccessOrError};
pub(super) use task::TaskRecord;
pub(super) use watch::{EventForm, WatchData, WatchError, WatchEvent};
pub(super) use welcome::Welcome;
pub(super) use why::WhyAnswer;
