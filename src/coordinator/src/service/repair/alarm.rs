//! The alarm when very many nodes fall silent together: once when repair stops, and once when it goes on.

use zephyrfs_core::repair::Brake;

/// As many nodes are named in the log; all of them are in the list of nodes.
const NAMED: usize = 10;

/// Says that repair stopped, and what to do.
pub(super) fn stopped(brake: &Brake) {
    let named: Vec<&str> = brake
        .silent
        .iter()
        .take(NAMED)
        .map(|node| node.as_str())
        .collect();
    tracing::error!(
        silent = brake.silent.len(),
        of = brake.of,
        domains = brake.domains.join(", "),
        nodes = named.join(", "),
        "Repair stopped: very many nodes fell silent together. It goes on by itself when they are back; if they will not \
         come back, say so with `coordinator repair release`"
    );
}

/// Says that repair goes on.
pub(super) fn goes_on() {
    tracing::info!("Repair goes on");
}
