//! Heartbeats.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::bounded::{Count, Percent};
use crate::api::rest::number::Whole;
use crate::api::rest::object::Object;
use crate::service::{HeartbeatReport, ReportedStats};

/// A node's sign of life.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(examples(json!({
    "stats": {
        "storage_used": 4096,
        "storage_available": 999_999_995_904_u64,
        "chunks_stored": 1,
        "bandwidth_up": 0,
        "bandwidth_down": 0,
        "cpu_usage": 12.5,
        "memory_usage": 30.0,
        "uptime_seconds": 3600,
    },
})))]
pub(in crate::api::rest) struct NodeHeartbeatRequest {
    /// What the node says of itself; without, what it said last stands.
    #[schema(value_type = Option<ReportedNodeStats>)]
    stats: Option<Object<ReportedNodeStats>>,
}

/// What a node says of itself. What is left out is 0.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
pub(in crate::api::rest) struct ReportedNodeStats {
    /// Bytes.
    #[schema(value_type = Option<Count>)]
    storage_used: Option<Whole>,
    /// Bytes.
    #[schema(value_type = Option<Count>)]
    storage_available: Option<Whole>,
    #[schema(value_type = Option<Count>)]
    chunks_stored: Option<Whole>,
    /// Bytes per second.
    #[schema(value_type = Option<Count>)]
    bandwidth_up: Option<Whole>,
    /// Bytes per second.
    #[schema(value_type = Option<Count>)]
    bandwidth_down: Option<Whole>,
    #[schema(value_type = Option<Percent>)]
    cpu_usage: Option<f64>,
    #[schema(value_type = Option<Percent>)]
    memory_usage: Option<f64>,
    #[schema(value_type = Option<Count>)]
    uptime_seconds: Option<Whole>,
}

impl NodeHeartbeatRequest {
    /// The heartbeat of the node in the path.
    pub(in crate::api::rest) fn of(self, node_id: String) -> HeartbeatReport {
        let Self { stats } = self;
        HeartbeatReport {
            node_id,
            stats: stats.map(|Object(stats)| stats.into()),
        }
    }
}

impl From<ReportedNodeStats> for ReportedStats {
    fn from(stats: ReportedNodeStats) -> Self {
        let ReportedNodeStats {
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
            storage_used: storage_used.unwrap_or_default().0,
            storage_available: storage_available.unwrap_or_default().0,
            chunks_stored: chunks_stored.unwrap_or_default().0,
            bandwidth_up: bandwidth_up.unwrap_or_default().0,
            bandwidth_down: bandwidth_down.unwrap_or_default().0,
            cpu_usage: cpu_usage.unwrap_or_default(),
            memory_usage: memory_usage.unwrap_or_default(),
            uptime_seconds: uptime_seconds.unwrap_or_default().0,
        }
    }
}

/// What a node should do now.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct NodeHeartbeatResponse {
    success: bool,
    message: String,
    /// Each is one JSON object as text:
    /// `{"id","type","chunk_id","hash","size","sources":[{"node_id","address"}],"deadline"}`.
    tasks: Vec<String>,
}

impl NodeHeartbeatResponse {
    /// The heartbeat was taken.
    pub(in crate::api::rest) fn taken(tasks: Vec<String>) -> Self {
        Self {
            success: true,
            message: "Heartbeat received".to_owned(),
            tasks,
        }
    }

    /// It was not.
    pub(in crate::api::rest) const fn refused(message: String) -> Self {
        Self {
            success: false,
            message,
            tasks: Vec::new(),
        }
    }
}
