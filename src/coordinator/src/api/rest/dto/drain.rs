//! Taking nodes out of service: what is asked, and how far it is.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use zephyrfs_core::repair::Progress;
use zephyrfs_core::row::{AfterDrain, Drain};

use super::time::rfc3339;
use crate::api::saturate::to_i64;
use crate::service::{DrainStatus, LeftChunk};

/// How a drain is asked for.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(examples(json!({"force": false})))]
pub(in crate::api::rest) struct DrainRequest {
    /// Also if it would be refused for want of nodes or of space: what finds no place stays where it is.
    #[serde(default)]
    pub(in crate::api::rest) force: Option<bool>,
}

/// How far a drain is.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct DrainRecord {
    node_id: String,
    /// The node's status: draining, or inactive while it is silent and once it is unregistered.
    status: &'static str,
    /// How much of what there was has gone, with one decimal.
    progress_percent: f64,
    copies_left: i64,
    /// Bytes.
    bytes_left: i64,
    copies_at_start: i64,
    /// Bytes.
    bytes_at_start: i64,
    /// When it began.
    #[schema(format = DateTime)]
    since: String,
    /// How long the rest takes at the pace so far; null while nothing has moved.
    eta_seconds: Option<i64>,
    /// What becomes of the node then: `stay` or `remove`.
    then: &'static str,
    /// Whether nothing is left on the node, so that it can be switched off.
    drained: bool,
    /// Since when; null before that.
    #[schema(format = DateTime)]
    drained_at: Option<String>,
    /// Some of the chunks that are left, at most as many as were asked for: those that were found in time.
    chunks: Vec<LeftChunkRecord>,
}

/// A chunk that is left on a draining node.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct LeftChunkRecord {
    chunk_id: String,
    /// What it waits for.
    reason: String,
}

impl From<DrainStatus> for DrainRecord {
    fn from(status: DrainStatus) -> Self {
        let DrainStatus {
            node,
            status,
            drain,
            progress,
            left: chunks,
        } = status;
        let Drain {
            since,
            copies,
            bytes,
            then,
            done_at,
        } = drain;
        let Progress {
            done_permille,
            left,
            eta,
        } = progress;
        Self {
            node_id: node.into(),
            status: status.as_str(),
            progress_percent: done_permille as f64 / 10.0,
            copies_left: to_i64(left.copies),
            bytes_left: left.bytes.to_wire(),
            copies_at_start: to_i64(copies),
            bytes_at_start: bytes.to_wire(),
            since: rfc3339(since),
            eta_seconds: eta.map(|eta| to_i64(eta.get() / 1_000)),
            then: match then {
                AfterDrain::Stay => "stay",
                AfterDrain::Remove => "remove",
            },
            drained: done_at.is_some(),
            drained_at: done_at.map(rfc3339),
            chunks: chunks.into_iter().map(LeftChunkRecord::from).collect(),
        }
    }
}

impl From<LeftChunk> for LeftChunkRecord {
    fn from(LeftChunk { chunk, reason }: LeftChunk) -> Self {
        Self {
            chunk_id: chunk.into(),
            reason,
        }
    }
}
