//! Finds the known key that a mistyped one was probably meant to be.

/// As much of an unknown key as is compared: it may be of any length, and comparing costs its length times
/// that of each known key.
const MAX_COMPARED: usize = 100;

/// The candidate most like `unknown`; the first of several equals. Empty only without candidates.
pub(crate) fn nearest<'c>(unknown: &str, candidates: impl IntoIterator<Item = &'c str>) -> &'c str {
    let unknown: String = unknown
        .chars()
        .take(MAX_COMPARED)
        .collect::<String>()
        .to_lowercase();
    let mut best = ("", -1.0);
    for candidate in candidates {
        let likeness = likeness(&unknown, candidate);
        if likeness > best.1 {
            best = (candidate, likeness);
        }
    }
    best.0
}

/// From 0 (nothing in common) to 1 (equal). A right last part under a wrong or missing section counts for
/// much: forgetting the section is as common as mistyping the key.
fn likeness(unknown: &str, candidate: &str) -> f64 {
    let whole = strsim::normalized_damerau_levenshtein(unknown, candidate);
    let last = strsim::normalized_damerau_levenshtein(last_part(unknown), last_part(candidate));
    whole.max(f64::midpoint(whole, last))
}

fn last_part(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    const KEYS: [&str; 5] = [
        "grpc.port",
        "http.port",
        "coordinator.replication_factor",
        "raft.heartbeat_interval",
        "log.level",
    ];

    #[test]
    fn typing_errors_and_forgotten_sections_are_recognised() {
        for (unknown, expected) in [
            ("grpc.prot", "grpc.port"),
            ("HTTP.Port", "http.port"),
            ("replication_factor", "coordinator.replication_factor"),
            ("coordinator.replication_facter", "coordinator.replication_factor"),
            ("cluster.heartbeat_interval", "raft.heartbeat_interval"),
            ("loglevel", "log.level"),
        ] {
            assert_eq!(nearest(unknown, KEYS), expected, "{unknown}");
        }
    }
}
