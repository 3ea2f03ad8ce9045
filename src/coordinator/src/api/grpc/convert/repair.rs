//! Whether repair is stopped, and what it found.

use std::collections::HashMap;

use zephyrfs_core::repair::{Brake, Tally};
use zephyrfs_proto::coordinator as wire;

use super::super::status::FromAnswer;
use crate::api::saturate::to_i64;
use crate::service::{BrakeReleased, PassReport, RepairReport, RepairStatus};

impl FromAnswer<RepairStatus> for wire::GetRepairStatusResponse {
    fn done(RepairStatus { brake, report }: RepairStatus) -> Self {
        Self {
            brake: brake.map(|brake| self::brake(&brake)),
            report: report.map(self::report),
        }
    }

    fn refused(_: String) -> Option<Self> {
        None
    }
}

impl FromAnswer<BrakeReleased> for wire::ReleaseRepairResponse {
    fn done(BrakeReleased { nodes, late, brake }: BrakeReleased) -> Self {
        Self {
            nodes,
            late: late as u64,
            brake: brake.map(|brake| self::brake(&brake)),
        }
    }

    fn refused(_: String) -> Option<Self> {
        None
    }
}

fn brake(brake: &Brake) -> wire::RepairBrake {
    let Brake {
        since,
        silent,
        of,
        domains,
    } = brake;
    wire::RepairBrake {
        since: since.as_unix_seconds(),
        silent: silent.iter().map(ToString::to_string).collect(),
        of: *of as u64,
        domains: domains.clone(),
    }
}

fn report(report: RepairReport) -> wire::RepairReport {
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
    wire::RepairReport {
        last_pass: last_pass.map(|last| pass(&last)),
        running_pass: pass_began.map(|began| wire::RunningRepairPass {
            seconds: began.elapsed().as_secs_f64(),
            chunks: looked_at,
        }),
        rebalancing: rebalances,
    }
}

fn pass(pass: &PassReport) -> wire::RepairPass {
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
    let by_copies: HashMap<u32, u64> = by_copies
        .iter()
        .map(|(copies, chunks)| (u32::try_from(*copies).unwrap_or(u32::MAX), *chunks))
        .collect();
    let waiting = waiting.iter().map(|(class, waiting)| wire::RepairWork {
        class: class.as_str().to_owned(),
        chunks: waiting.chunks,
        bytes: waiting.bytes.to_wire(),
        oldest_seconds: waiting
            .oldest
            .map(|oldest| to_i64(ended.since(oldest).get() / 1_000)),
    });
    wire::RepairPass {
        took_seconds: took.as_secs_f64(),
        ended: ended.as_unix_seconds(),
        chunks: *chunks,
        by_copies,
        waiting: waiting.collect(),
        awaiting_nodes: *awaiting_nodes,
        without_source: *without_source,
        unconfirmed: *unconfirmed,
    }
}
