//! What a node is expected to name.

use zephyrfs_core::id::{ChunkId, digest};

/// What counted as stored on a node when its inventory began, and whether the node has named it. Nine bytes for each chunk.
#[derive(Debug)]
pub(super) struct Expected {
    /// Of the chunks' ids, in order.
    digests: Vec<u64>,
    named: Vec<bool>,
}

impl Expected {
    /// The chunks with these digests, none of them named.
    pub(super) fn new(mut digests: Vec<u64>) -> Self {
        digests.sort_unstable();
        digests.dedup();
        digests.shrink_to_fit();
        let named = vec![false; digests.len()];
        Self { digests, named }
    }

    /// The node names a chunk.
    pub(super) fn name(&mut self, chunk: &ChunkId) {
        if let Ok(place) = self.digests.binary_search(&digest(chunk)) {
            self.named[place] = true;
        }
    }

    /// Whether everything was named.
    pub(super) fn is_complete(&self) -> bool {
        self.named.iter().all(|named| *named)
    }

    /// Whether a chunk was expected and not named.
    pub(super) fn lacks(&self, chunk: &ChunkId) -> bool {
        self.digests
            .binary_search(&digest(chunk))
            .is_ok_and(|place| !self.named[place])
    }
}

#[cfg(test)]
mod tests {
    use zephyrfs_core::id::{ChunkId, digest};

    use super::Expected;

    #[test]
    fn only_what_was_expected_and_not_named_is_lacking() {
        let [a, b, later] = ["a", "b", "later"].map(ChunkId::from);
        let mut expected = Expected::new(vec![digest(&b), digest(&a), digest(&a)]);
        expected.name(&b);
        expected.name(&b);
        assert!(!expected.is_complete());
        assert_eq!(
            [&a, &b, &later].map(|chunk| expected.lacks(chunk)),
            [true, false, false]
        );
        expected.name(&later);
        expected.name(&a);
        assert!(expected.is_complete() && !expected.lacks(&a));
    }
}
