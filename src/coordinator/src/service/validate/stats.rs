//! What a node says of itself in a heartbeat.

use zephyrfs_core::row::NodeStats;
use zephyrfs_core::units::ByteSize;

use super::number::{byte_size, not_negative, percent};
use crate::service::error::ServiceError;
use crate::service::request::ReportedStats;

/// Checks a node's statistics.
pub(in crate::service) fn stats(reported: &ReportedStats) -> Result<NodeStats, ServiceError> {
    let ReportedStats {
        storage_used,
        storage_available,
        chunks_stored,
        bandwidth_up,
        bandwidth_down,
        cpu_usage,
        memory_usage,
        uptime_seconds,
    } = *reported;
    let bytes = |field: &str, number| -> Result<ByteSize, ServiceError> {
        byte_size(field, number, i64::MAX.unsigned_abs())
    };
    Ok(NodeStats {
        storage_used: bytes("stats.storage_used", storage_used)?,
        storage_available: bytes("stats.storage_available", storage_available)?,
        chunks_stored: not_negative("stats.chunks_stored", chunks_stored)?,
        bandwidth_up: not_negative("stats.bandwidth_up", bandwidth_up)?,
        bandwidth_down: not_negative("stats.bandwidth_down", bandwidth_down)?,
        cpu_usage: percent("stats.cpu_usage", cpu_usage)?,
        memory_usage: percent("stats.memory_usage", memory_usage)?,
        uptime_seconds: not_negative("stats.uptime_seconds", uptime_seconds)?,
    })
}

#[cfg(test)]
mod tests {
    use super::stats;
    use crate::service::request::ReportedStats;

    #[test]
    fn every_statistic_is_checked_under_its_own_name() {
        type Spoil = fn(&mut ReportedStats);
        let cases: [(Spoil, &str); 8] = [
            (|stats| stats.storage_used = -1, "stats.storage_used"),
            (|stats| stats.storage_available = -1, "stats.storage_available"),
            (|stats| stats.chunks_stored = -1, "stats.chunks_stored"),
            (|stats| stats.bandwidth_up = -1, "stats.bandwidth_up"),
            (|stats| stats.bandwidth_down = -1, "stats.bandwidth_down"),
            (|stats| stats.cpu_usage = f64::NAN, "stats.cpu_usage"),
            (|stats| stats.memory_usage = f64::NAN, "stats.memory_usage"),
            (|stats| stats.uptime_seconds = -1, "stats.uptime_seconds"),
        ];
        assert!(stats(&ReportedStats::default()).is_ok());
        for (spoil, field) in cases {
            let mut reported = ReportedStats::default();
            spoil(&mut reported);
            let error = stats(&reported).expect_err(field).to_string();
            assert!(error.starts_with(&format!("{field}: must ")), "{error}");
        }
    }
}
