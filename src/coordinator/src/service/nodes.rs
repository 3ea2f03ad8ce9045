//! Storage nodes: they come, report, go, and are looked up.

use std::collections::BTreeMap;
use std::sync::Arc;

use zephyrfs_core::engine::At;
use zephyrfs_core::id::NodeId;
use zephyrfs_core::row::{BeatRow, NodeRow, NodeStatus};

use super::{ListPage, PageQuery, RequestContext, Service, ServiceError};

/// A node that comes or comes back, as it describes itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeRegistration {
    /// Empty: an id of 32 hex digits is assigned.
    pub node_id: String,
    /// Where it is reached; the first is given to clients.
    pub addresses: Vec<String>,
    /// Bytes.
    pub storage_capacity: i64,
    /// `region`, `zone`, `rack` and `host` name its failure domains; others are kept and shown.
    pub capabilities: BTreeMap<String, String>,
}

/// What a node is told when it has registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredNode {
    /// Its id.
    pub node: NodeId,
    /// First addresses of up to five other active nodes.
    pub peers: Vec<String>,
    /// Whether the id was registered before.
    pub known: bool,
}

/// A node that goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeRemoval {
    /// Which.
    pub node_id: String,
    /// Why, in words.
    pub reason: String,
}

/// A heartbeat as it came.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HeartbeatReport {
    /// Which node.
    pub node_id: String,
    /// What it says of itself; without, what it said last stands.
    pub stats: Option<ReportedStats>,
}

/// What a node says of itself, as it came. Units as in [`zephyrfs_core::row::NodeStats`].
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[allow(missing_docs)]
pub struct ReportedStats {
    pub storage_used: i64,
    pub storage_available: i64,
    pub chunks_stored: i64,
    pub bandwidth_up: i64,
    pub bandwidth_down: i64,
    pub cpu_usage: f64,
    pub memory_usage: f64,
    pub uptime_seconds: i64,
}

/// Which active nodes a client wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActiveNodesQuery {
    /// 0 means all.
    pub limit: i64,
    /// Nodes to leave out.
    pub exclude: Vec<String>,
}

/// Which nodes an operator wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeListQuery {
    /// A status; empty means every status.
    pub status: String,
    /// Which page.
    pub page: PageQuery,
}

/// What an operator wants of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeStateRequest {
    /// Back in service.
    Activate,
    /// To give up its chunks.
    Drain,
    /// To be left alone for a while.
    Maintain {
        /// How long, as `30m`, `2h` or `90s`.
        span: String,
    },
}

/// A node as clients see it.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeDetails {
    /// Its id.
    pub id: NodeId,
    /// What it registered, and its state.
    pub node: Arc<NodeRow>,
    /// Its last heartbeat, counting one that only this replica has heard; `None` if it never sent one.
    pub beat: Option<BeatRow>,
}

impl NodeDetails {
    /// The one word for its state.
    pub fn status(&self) -> NodeStatus {
        self.node.status()
    }
}

impl Service {
    /// Registers a node, or registers it again.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn register_node(
        &self,
        registration: NodeRegistration,
        context: RequestContext,
    ) -> Result<At<RegisteredNode>, ServiceError> {
        todo!()
    }

    /// Unregisters a node for good. Twice is the same as once.
    ///
    /// # Errors
    /// [`ServiceError`]; `Rejected` if the node is not known.
    pub async fn unregister_node(
        &self,
        removal: NodeRemoval,
        context: RequestContext,
    ) -> Result<At<()>, ServiceError> {
        todo!()
    }

    /// Takes a heartbeat. The answer is what the node shall do now, each task a JSON object.
    ///
    /// # Errors
    /// [`ServiceError`]; `Rejected` if the node is not known, or was unregistered.
    pub async fn heartbeat(
        &self,
        report: HeartbeatReport,
        context: RequestContext,
    ) -> Result<At<Vec<String>>, ServiceError> {
        todo!()
    }

    /// Active nodes, longest uptime first.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn active_nodes(
        &self,
        query: ActiveNodesQuery,
        context: RequestContext,
    ) -> Result<At<Vec<NodeDetails>>, ServiceError> {
        todo!()
    }

    /// One node.
    ///
    /// # Errors
    /// [`ServiceError`]; `Rejected` if the node is not known.
    pub async fn node(
        &self,
        node_id: String,
        context: RequestContext,
    ) -> Result<At<NodeDetails>, ServiceError> {
        todo!()
    }

    /// Nodes of one status or all, unregistered ones among the inactive.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub async fn list_nodes(
        &self,
        query: NodeListQuery,
        context: RequestContext,
    ) -> Result<At<ListPage<NodeDetails>>, ServiceError> {
        todo!()
    }

    /// Changes what is wanted of a node; the answer is its status then.
    ///
    /// # Errors
    /// [`ServiceError`]; `Rejected` if the node is not known, or was unregistered.
    pub async fn set_node_state(
        &self,
        node_id: String,
        request: NodeStateRequest,
        context: RequestContext,
    ) -> Result<At<NodeStatus>, ServiceError> {
        todo!()
    }
}
