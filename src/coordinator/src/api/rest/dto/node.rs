//! Storage nodes as clients see them.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;
use zephyrfs_core::row::{self, BeatRow};

use super::time::rfc3339;
use crate::api::saturate::{len_to_i32, to_i64};
use crate::service::NodeDetails;

/// What a node last said of itself.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct NodeStats {
    /// Bytes.
    storage_used: i64,
    /// Bytes.
    storage_available: i64,
    chunks_stored: i64,
    /// Bytes per second.
    bandwidth_up: i64,
    /// Bytes per second.
    bandwidth_down: i64,
    /// Percent, 0 to 100.
    cpu_usage: f64,
    /// Percent, 0 to 100.
    memory_usage: f64,
    uptime_seconds: i64,
}

/// A node in short.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct NodeStatus {
    node_id: String,
    addresses: Vec<String>,
    /// Null if the node never sent any.
    stats: Option<NodeStats>,
    /// Unix seconds; 0 if the node never sent one.
    last_heartbeat: i64,
    /// active, inactive, maintenance or draining.
    status: &'static str,
}

/// The nodes that are there.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct GetActiveNodesResponse {
    /// Longest uptime first.
    nodes: Vec<NodeStatus>,
    /// How many are in this answer.
    total_nodes: i32,
}

/// A node in full.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct NodeRecord {
    node_id: String,
    addresses: Vec<String>,
    /// Bytes.
    storage_capacity: i64,
    capabilities: BTreeMap<String, String>,
    /// active, inactive, maintenance or draining.
    status: &'static str,
    #[schema(format = DateTime)]
    registered_at: String,
    /// Null if the node never sent one.
    #[schema(format = DateTime)]
    last_heartbeat: Option<String>,
    /// Null if the node never sent any.
    stats: Option<NodeStats>,
    /// Of a node that drains: whether nothing is left on it, so that it can be switched off.
    #[serde(skip_serializing_if = "Option::is_none")]
    drained: Option<bool>,
    /// Of a node that comes and goes, while it is held down: until when nothing is entrusted to it that another can take.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    held_until: Option<String>,
    /// Of the same: how many times in a row it came back and did not stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    returns: Option<u32>,
}

impl From<row::NodeStats> for NodeStats {
    fn from(stats: row::NodeStats) -> Self {
        let row::NodeStats {
            storage_used,
            storage_available,
            chunks_stored,
            bandwidth_up,
            bandwidth_down,
            cpu_usage,
            memory_usage,
            uptime_seconds,
        } = stats;
        Self {
            storage_used: storage_used.to_wire(),
            storage_available: storage_available.to_wire(),
            chunks_stored: to_i64(chunks_stored),
            bandwidth_up: to_i64(bandwidth_up),
            bandwidth_down: to_i64(bandwidth_down),
            cpu_usage,
            memory_usage,
            uptime_seconds: to_i64(uptime_seconds),
        }
    }
}

impl From<NodeDetails> for NodeStatus {
    fn from(details: NodeDetails) -> Self {
        let status = details.status().as_str();
        let NodeDetails {
            id,
            node,
            beat,
            flapping: _,
        } = details;
        Self {
            node_id: id.into(),
            addresses: node.addresses.clone(),
            stats: beat.map(|BeatRow { at: _, stats }| stats.into()),
            last_heartbeat: beat.map_or(0, |beat| beat.at.as_unix_seconds()),
            status,
        }
    }
}

impl From<Vec<NodeDetails>> for GetActiveNodesResponse {
    fn from(nodes: Vec<NodeDetails>) -> Self {
        Self {
            total_nodes: len_to_i32(nodes.len()),
            nodes: nodes.into_iter().map(NodeStatus::from).collect(),
        }
    }
}

impl From<NodeDetails> for NodeRecord {
    fn from(details: NodeDetails) -> Self {
        let status = details.status().as_str();
        let drained = details.drained();
        let NodeDetails {
            id,
            node,
            beat,
            flapping,
        } = details;
        Self {
            node_id: id.into(),
            addresses: node.addresses.clone(),
            storage_capacity: node.capacity.to_wire(),
            capabilities: node.capabilities.clone(),
            status,
            registered_at: rfc3339(node.registered_at),
            last_heartbeat: beat.map(|beat| rfc3339(beat.at)),
            stats: beat.map(|BeatRow { at: _, stats }| stats.into()),
            drained,
            held_until: flapping.map(|(until, _)| rfc3339(until)),
            returns: flapping.map(|(_, returns)| returns),
        }
    }
}
