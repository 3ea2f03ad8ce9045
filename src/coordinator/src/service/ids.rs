//! Where the ids and seeds come from that the service mints.

use std::sync::Arc;

use zephyrfs_core::id::{NodeId, RequestId};

/// A source of 128-bit ids and of seeds: random in production, of a caller's making in tests.
#[derive(Clone)]
pub struct IdSource(Arc<dyn Fn() -> [u8; 16] + Send + Sync>);

impl IdSource {
    /// Random ids.
    pub fn random() -> Self {
        Self::from_fn(rand::random)
    }

    /// Ids from a function, which must never give the same one twice.
    pub fn from_fn(draw: impl Fn() -> [u8; 16] + Send + Sync + 'static) -> Self {
        Self(Arc::new(draw))
    }

    /// An id for a proposal.
    pub fn request(&self) -> RequestId {
        RequestId::from_bytes((self.0)())
    }

    /// An id for a node that has none: 32 hex digits.
    pub(super) fn node(&self) -> NodeId {
        NodeId::from(RequestId::from_bytes((self.0)()).to_string())
    }

    /// A seed for choosing nodes.
    pub(super) fn seed(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = (self.0)();
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }
}

#[cfg(test)]
mod tests {
    use super::IdSource;

    #[test]
    fn a_minted_node_id_has_thirty_two_hex_digits() {
        let ids = IdSource::from_fn(|| [10; 16]);
        assert_eq!(ids.node().as_str(), "0a".repeat(16));
        assert_eq!(ids.seed(), 0x0a0a_0a0a_0a0a_0a0a);
    }
}
