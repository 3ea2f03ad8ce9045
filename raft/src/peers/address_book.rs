//! Where replicas were last heard of.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Addresses by raft id, as replicas told them themselves. They come before those in the membership: a replica with a new
/// address must be reached before the membership can be told of it. A wrong one does no harm, since every message names
/// whom it is for.
#[derive(Debug, Default)]
pub(crate) struct AddressBook(Mutex<HashMap<u64, String>>);

/// More replicas than a cluster ever has, with some that are gone.
const MAX_ADDRESSES: usize = 1_000;

impl AddressBook {
    /// Notes where a replica is.
    pub(crate) fn note(&self, raft_id: u64, address: &str) {
        let mut addresses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if addresses.len() < MAX_ADDRESSES || addresses.contains_key(&raft_id) {
            addresses.insert(raft_id, address.to_owned());
        }
    }

    /// Where a replica was last heard of.
    pub(crate) fn find(&self, raft_id: u64) -> Option<String> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&raft_id)
            .cloned()
    }
}
