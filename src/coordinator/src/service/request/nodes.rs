//! What is asked about nodes.

use std::collections::BTreeMap;

use super::page::PageQuery;

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

/// A node that goes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeRemoval {
    /// Which.
    pub node_id: String,
    /// Why, in words.
    pub reason: String,
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
    Drain {
        /// Also if the other nodes cannot take them over.
        force: bool,
    },
    /// To give up its chunks and then be unregistered.
    Decommission {
        /// Also if the other nodes cannot take them over.
        force: bool,
    },
    /// To keep its chunks after all.
    CancelDrain,
    /// To be left alone for a while.
    Maintain {
        /// How long, as `30m`, `2h` or `90s`.
        span: String,
    },
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
