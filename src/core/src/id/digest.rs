//! Short digests of ids, for who has to remember very many of them.

use super::ChunkId;

/// Eight bytes that stand for a chunk's id. Two ids with the same digest are very unlikely and not impossible: nothing may
/// be decided by it that would do harm then.
pub fn digest(chunk: &ChunkId) -> u64 {
    let mut bytes = [0; 8];
    blake3::Hasher::new()
        .update(chunk.as_str().as_bytes())
        .finalize_xof()
        .fill(&mut bytes);
    u64::from_le_bytes(bytes)
}
