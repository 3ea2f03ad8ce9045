//! Whose inventories are being taken: few at a time, and one of each node.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;
use zephyrfs_core::id::NodeId;

/// So many inventories are taken at a time.
const AT_ONCE: usize = 2;

/// Places for inventories.
#[derive(Debug, Default)]
pub(in crate::service) struct Places(Mutex<Vec<(NodeId, CancellationToken)>>);

/// An inventory's place, until it is dropped or a newer inventory of the same node takes it.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    pub(super) node: NodeId,
    /// Cancelled when a newer inventory of the node begins.
    pub(super) replaced: CancellationToken,
}

impl Places {
    /// A place for an inventory of a node, in place of an older one of the same node: its sender has begun anew, or is gone.
    /// `None` if those of other nodes have all there are.
    pub(super) fn take(self: &Arc<Self>, node: NodeId) -> Option<Place> {
        let mut taken = self.taken();
        if let Some(older) = taken.iter().position(|(other, _)| *other == node) {
            taken.swap_remove(older).1.cancel();
        }
        if taken.len() >= AT_ONCE {
            return None;
        }
        let replaced = CancellationToken::new();
        taken.push((node.clone(), replaced.clone()));
        Some(Place {
            places: Arc::clone(self),
            node,
            replaced,
        })
    }

    fn taken(&self) -> MutexGuard<'_, Vec<(NodeId, CancellationToken)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        // What is there under the node's name belongs to the newer one otherwise.
        if !self.replaced.is_cancelled() {
            taken.retain(|(node, _)| *node != self.node);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use zephyrfs_core::id::NodeId;

    use super::Places;

    #[test]
    fn a_newer_inventory_of_a_node_takes_the_place_of_the_older() {
        let places = Arc::new(Places::default());
        let take = |node: &str| places.take(NodeId::from(node));
        let (older, other) = (take("a").unwrap(), take("b").unwrap());
        assert!(take("c").is_none());
        let newer = take("a").unwrap();
        assert!(older.replaced.is_cancelled() && !newer.replaced.is_cancelled());
        drop(older);
        assert!(take("c").is_none(), "the newer one has the place");
        drop(other);
        let third = take("c").unwrap();
        drop(newer);
        assert!(take("d").is_some());
        assert!(!third.replaced.is_cancelled());
    }
}
