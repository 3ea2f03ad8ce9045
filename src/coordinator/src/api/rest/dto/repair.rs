//! Whether repair is stopped, and what it found.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;
use zephyrfs_core::repair::{Brake, Tally};

use super::time::rfc3339;
use crate::api::saturate::to_i64;
use crate::service::{BrakeReleased, PassReport, RepairReport, RepairStatus};

/// Whether repair is stopped, and what it found.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct RepairRecord {
    /// Null: repair is not stopped.
    brake: Option<BrakeRecord>,
    /// What the leader found since it leads; null on replicas that do not lead.
    report: Option<ReportRecord>,
}

/// Very many nodes fell silent together, and repair is stopped.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct BrakeRecord {
    /// When the first of them fell silent.
    #[schema(format = DateTime)]
    since: String,
    /// The nodes that did.
    silent: Vec<String>,
    /// How many were active before.
    of: usize,
    /// Failure domains that are lost altogether, such as `zone b`.
    domains: Vec<String>,
}

/// What the leader found.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct ReportRecord {
    /// The last whole pass over all chunks; null before the first.
    last_pass: Option<PassRecord>,
    /// The pass that is under way; null between passes.
    running_pass: Option<RunningPassRecord>,
    /// Whether copies move from full nodes to empty ones.
    rebalancing: bool,
}

/// A whole pass over all chunks.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct PassRecord {
    took_seconds: f64,
    #[schema(format = DateTime)]
    ended: String,
    /// Chunks that files hold.
    chunks: u64,
    /// Chunks by how many copies of them can be relied on; 10 stands for ten or more.
    by_copies: BTreeMap<String, u64>,
    /// What waits or is under way, by class, as `class` of a task.
    waiting: BTreeMap<&'static str, WaitingRecord>,
    /// Chunks that lack copies because a silent node is waited for.
    awaiting_nodes: u64,
    /// Chunks that lack copies, and none is left to copy from.
    without_source: u64,
    /// Chunks of which no copy is known to be stored: clients may not have brought the first one yet.
    unconfirmed: u64,
}

/// Chunks of which something is to be done.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct WaitingRecord {
    chunks: u64,
    /// Bytes that are to be copied, or dropped.
    bytes: i64,
    /// How long the one had waited that had waited longest when the pass ended; null where that is not known.
    oldest_seconds: Option<i64>,
}

/// A pass that is under way.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct RunningPassRecord {
    /// How long it has been.
    seconds: f64,
    /// Chunks looked at so far.
    chunks: u64,
}

/// What lifting the brake did.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct ReleaseRepairResponse {
    /// Whether repair is not stopped now.
    success: bool,
    message: String,
    /// How many nodes are no longer waited for; 0 if repair was not stopped.
    nodes: u64,
    /// How many of the nodes that stopped repair are about to be found silent: they are not written off, and may stop it
    /// again.
    late: usize,
    /// Why repair is stopped all the same; null if it is not.
    brake: Option<BrakeRecord>,
}

impl From<RepairStatus> for RepairRecord {
    fn from(RepairStatus { brake, report }: RepairStatus) -> Self {
        Self {
            brake: brake.map(|brake| BrakeRecord::from(Arc::unwrap_or_clone(brake))),
            report: report.map(ReportRecord::from),
        }
    }
}

impl From<Brake> for BrakeRecord {
    fn from(brake: Brake) -> Self {
        let Brake {
            since,
            silent,
            of,
            domains,
        } = brake;
        Self {
            since: rfc3339(since),
            silent: silent.into_iter().map(String::from).collect(),
            of,
            domains,
        }
    }
}

impl From<RepairReport> for ReportRecord {
    fn from(report: RepairReport) -> Self {
        let RepairReport {
            brake: _,
            since: _,
            drains: _,
            last_pass,
            pass_began,
            looked_at,
            bytes_told: _,
            window: _,
            rebalances,
        } = report;
        Self {
            last_pass: last_pass.map(|pass| PassRecord::from(&*pass)),
            running_pass: pass_began.map(|began| RunningPassRecord {
                seconds: began.elapsed().as_secs_f64(),
                chunks: looked_at,
            }),
            rebalancing: rebalances,
        }
    }
}

impl From<&PassReport> for PassRecord {
    fn from(pass: &PassReport) -> Self {
        let PassReport {
            tally,
            took,
            ended: (_, ended),
        } = pass;
        let Tally {
            chunks,
            by_copies,
            waiting,
            awaiting_nodes,
            without_source,
            unconfirmed,
        } = tally;
        let waiting = waiting.iter().map(|(class, waiting)| {
            let oldest = waiting
                .oldest
                .map(|oldest| to_i64(ended.since(oldest).get() / 1_000));
            let record = WaitingRecord {
                chunks: waiting.chunks,
                bytes: waiting.bytes.to_wire(),
                oldest_seconds: oldest,
            };
            (class.as_str(), record)
        });
        Self {
            took_seconds: took.as_secs_f64(),
            ended: rfc3339(*ended),
            chunks: *chunks,
            by_copies: by_copies
                .iter()
                .map(|(copies, chunks)| (copies.to_string(), *chunks))
                .collect(),
            waiting: waiting.collect(),
            awaiting_nodes: *awaiting_nodes,
            without_source: *without_source,
            unconfirmed: *unconfirmed,
        }
    }
}

impl ReleaseRepairResponse {
    /// It goes on without some nodes, or does not.
    pub(in crate::api::rest) fn done(released: BrakeReleased) -> Self {
        let message = released.to_string();
        let BrakeReleased { nodes, late, brake } = released;
        Self {
            success: brake.is_none(),
            message,
            nodes,
            late,
            brake: brake.map(BrakeRecord::from),
        }
    }
}
