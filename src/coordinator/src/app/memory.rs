//! Warns before the memory limit is reached, in the words that operators already look for.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// Share of the limit, in percent, from which on there is a warning.
const WARN_PERCENT: u64 = 80;

/// Where control groups tell the limit, in their second and first version.
const LIMIT_FILES: [&str; 2] = [
    "/sys/fs/cgroup/memory.max",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
];

/// Bytes of a page, as the kernel counts memory in `/proc/self/statm` on the platforms that this program is built for.
const PAGE_BYTES: u64 = 4_096;

/// Looks at the memory in use every `interval` until `stop` is cancelled. `configured` bytes are the limit; zero means the
/// limit of the control group, if it has one.
pub(super) async fn watch(configured: u64, interval: Duration, stop: CancellationToken) {
    let Some(limit) = (if configured > 0 {
        Some(configured)
    } else {
        group_limit()
    }) else {
        return;
    };
    let mut ticks = tokio::time::interval(interval);
    let mut warned = false;
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let Some(used) = resident() else { return };
        let is_high = used.saturating_mul(100) > limit.saturating_mul(WARN_PERCENT);
        if is_high && !warned {
            tracing::warn!(used, limit, "High memory usage: above 80 % of the limit");
        }
        warned = is_high;
    }
}

fn group_limit() -> Option<u64> {
    // Without a limit the first version tells a number larger than any memory, which never warns.
    LIMIT_FILES
        .iter()
        .find_map(|file| std::fs::read_to_string(file).ok()?.trim().parse().ok())
}

fn resident() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * PAGE_BYTES)
}
