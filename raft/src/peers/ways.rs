//! Ways to peers that were used lately.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::api::PeerService;

/// Ways to peers by address, each made once.
#[derive(Default)]
pub(crate) struct Ways(Mutex<HashMap<String, Arc<dyn PeerService>>>);

/// More than the replicas of a cluster ever are. Addresses that are not used any more go with the rest.
const MAX_WAYS: usize = 64;

impl Ways {
    /// The way to an address, made if there is none.
    pub(crate) fn to(
        &self,
        address: &str,
        make: impl FnOnce() -> Arc<dyn PeerService>,
    ) -> Arc<dyn PeerService> {
        let mut ways = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(way) = ways.get(address) {
            return Arc::clone(way);
        }
        if ways.len() >= MAX_WAYS {
            ways.clear();
        }
        let way = make();
        ways.insert(address.to_owned(), Arc::clone(&way));
        way
    }
}
