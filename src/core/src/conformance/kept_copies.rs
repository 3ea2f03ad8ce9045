//! What no command may do between two states, whatever it was: take a stored copy of a chunk that a file needs.

use std::collections::BTreeMap;

use crate::command::{Command, LocationChange};
use crate::id::ChunkId;
use crate::row::{ChunkRow, ReplicaState, Row};

/// Checks that each chunk that a file holds before and after, and of which a copy was stored, still has one.
///
/// A node's own word that it dropped its copy is not a command's doing, nor is it when a chunk's id comes to stand for
/// other content.
///
/// # Errors
/// The chunk and the copy that is gone.
pub(super) fn check(before: &[Row], after: &[Row], command: &Command) -> Result<(), String> {
    let is_their_word = match command {
        Command::UpdateChunkLocations(update) => update.change == LocationChange::Remove,
        Command::RecordInventory(_) => true,
        _ => false,
    };
    if is_their_word {
        return Ok(());
    }
    let after: BTreeMap<&ChunkId, &ChunkRow> = chunks(after).collect();
    for (id, old) in chunks(before).filter(|(_, old)| old.is_referenced()) {
        let Some(new) = after.get(id).filter(|new| new.same_content(&old.hash, old.size)) else {
            continue;
        };
        let gone = stored(old).any(|node| !stored(new).any(|left| left == node));
        if gone && new.is_referenced() && stored(new).next().is_none() {
            return Err(format!("the last stored copy of {id} is gone: {new:?}"));
        }
    }
    Ok(())
}

fn chunks(rows: &[Row]) -> impl Iterator<Item = (&ChunkId, &ChunkRow)> {
    rows.iter().filter_map(|row| match row {
        Row::Chunk(id, chunk) => Some((id, chunk)),
        _ => None,
    })
}

fn stored(chunk: &ChunkRow) -> impl Iterator<Item = &crate::id::NodeId> {
    chunk
        .replicas
        .iter()
        .filter(|replica| replica.state == ReplicaState::Stored)
        .map(|replica| &replica.node)
}
