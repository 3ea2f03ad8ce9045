//! File descriptors: how many connections each listener may hold, so that a flood at one port leaves the databases,
//! the other ports and above all the probes what they need.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors for all that is not a client's connection: databases, backups, listeners, the runtime.
const RESERVED: usize = 128;

/// Connections of the health port: probes and scrapes are few.
const MAX_PROBES: usize = 128;

/// Connections of other replicas: each has a handful, and one that comes back soon leaves some behind for a moment.
const MAX_PEERS: usize = 128;

/// However few descriptors there are, it is tried with so many connections for each listener.
const FEWEST: usize = 16;

/// How many connections each listener may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ConnectionLimits {
    /// Of each API.
    pub(super) api: usize,
    /// Of the health port.
    pub(super) probes: usize,
    /// Of the port for other replicas.
    pub(super) peers: usize,
}

/// Takes as many descriptors as the system grants, and shares them out: `configured` connections for each of so many
/// APIs, or fewer, with a warning, where there are not enough. Where there are other replicas, some are theirs.
pub(super) fn share(configured: usize, apis: usize, is_alone: bool) -> ConnectionLimits {
    let descriptors = take_all();
    let peers = if is_alone { 0 } else { MAX_PEERS };
    let limits = ConnectionLimits::within(descriptors, configured, apis, peers);
    if limits.api < configured {
        tracing::warn!(
            limit = descriptors,
            connections = limits.api,
            configured,
            "Too few file descriptors for limits.max_connections; each API takes fewer connections (raise ulimit -n)"
        );
    }
    limits
}

/// Raises the limit that may be raised to the one that may not, and gives it. Many systems set the first low for the
/// sake of old programs.
fn take_all() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    let limit = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum,
        Err(error) => {
            tracing::debug!(%error, "The limit of file descriptors stays as it is");
            current
        }
    };
    limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX))
}

impl ConnectionLimits {
    fn within(descriptors: usize, configured: usize, apis: usize, peers: usize) -> Self {
        let probes = MAX_PROBES.min(descriptors / 8).max(FEWEST);
        // As many lead from here to the others.
        let left = descriptors
            .saturating_sub(RESERVED + 2 * peers)
            .saturating_sub(probes);
        let share = left.checked_div(apis).unwrap_or(left);
        Self {
            api: configured.min(share.max(FEWEST)),
            probes: probes.min(configured.max(FEWEST)),
            peers,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ConnectionLimits, FEWEST, MAX_PEERS, MAX_PROBES, RESERVED};

    #[test]
    fn with_enough_descriptors_the_configuration_counts() {
        for descriptors in [20_000, usize::MAX] {
            let limits = ConnectionLimits::within(descriptors, 4_096, 2, MAX_PEERS);
            assert_eq!(limits.api, 4_096);
            assert_eq!(limits.probes, MAX_PROBES);
        }
    }

    #[test]
    fn full_listeners_leave_the_process_its_reserve() {
        for descriptors in [400, 1_024, 4_096] {
            for apis in [1, 2] {
                for peers in [0, MAX_PEERS] {
                    let limits = ConnectionLimits::within(descriptors, 4_096, apis, peers);
                    let taken = limits.api * apis + limits.probes + 2 * limits.peers + RESERVED;
                    assert!(
                        taken <= descriptors || limits.api == FEWEST,
                        "{limits:?} of {descriptors}"
                    );
                    assert!(limits.api >= 100 || peers > 0, "{limits:?} of {descriptors}");
                }
            }
        }
    }

    #[test]
    fn very_few_descriptors_are_tried_with_all_the_same() {
        let limits = ConnectionLimits::within(64, 4_096, 2, 0);
        assert_eq!((limits.api, limits.probes), (FEWEST, FEWEST));
    }
}
