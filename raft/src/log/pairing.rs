//! Whether a log and a state belong together.

use crate::disk::{DatabaseKind, Disk};
use crate::error::StoreError;

/// Both databases must be of one replica: a state without its log has forgotten votes, a log without its state has
/// forgotten what it purged. An empty state has zero for a raft id.
pub(crate) fn check_same_replica<D: Disk>(
    disk: &D,
    raft_id: u64,
    is_purged: bool,
    raft_id_of_state: u64,
) -> Result<(), StoreError> {
    let is_empty = raft_id_of_state == 0;
    if (is_empty && is_purged) || (!is_empty && raft_id_of_state != raft_id) {
        return Err(StoreError::Mismatched {
            log: disk.name(DatabaseKind::Log),
            state: disk.name(DatabaseKind::State),
        });
    }
    Ok(())
}
