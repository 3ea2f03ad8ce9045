//! How far drains are.

use zephyrfs_core::repair::Progress;
use zephyrfs_core::row::{AfterDrain, Drain};
use zephyrfs_core::units::Timestamp;
use zephyrfs_proto::coordinator as wire;

use super::super::status::FromAnswer;
use crate::api::saturate::to_i64;
use crate::service::{DrainStatus, LeftChunk};

impl FromAnswer<DrainStatus> for wire::GetDrainStatusResponse {
    fn done(status: DrainStatus) -> Self {
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
            success: true,
            message: String::new(),
            node_id: node.into(),
            status: status.to_string(),
            progress_permille: u32::try_from(done_permille).unwrap_or(u32::MAX),
            copies_left: left.copies,
            bytes_left: left.bytes.to_wire(),
            copies_at_start: copies,
            bytes_at_start: bytes.to_wire(),
            since: since.as_unix_seconds(),
            eta_seconds: eta.map(|eta| to_i64(eta.get() / 1_000)),
            then: match then {
                AfterDrain::Stay => "stay",
                AfterDrain::Remove => "remove",
            }
            .to_owned(),
            drained: done_at.is_some(),
            drained_at: done_at.map_or(0, Timestamp::as_unix_seconds),
            chunks: chunks.into_iter().map(left_chunk).collect(),
        }
    }

    fn refused(message: String) -> Option<Self> {
        Some(Self {
            success: false,
            message,
            ..Self::default()
        })
    }
}

fn left_chunk(LeftChunk { chunk, reason }: LeftChunk) -> wire::LeftChunk {
    wire::LeftChunk {
        chunk_id: chunk.into(),
        reason,
    }
}
