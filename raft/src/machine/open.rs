//! Opening the state and starting the worker that writes it.

use std::sync::Arc;

use super::store::StateStore;
use super::worker::Worker;
use crate::disk::{DatabaseKind, Disk, open_database};
use crate::error::StoreError;
use crate::kv::Base;
use crate::state::State;
use crate::workers::Workers;

/// Opens the state, or makes an empty one, and starts its worker.
///
/// # Errors
/// Why it cannot be opened.
pub(crate) fn open_state<D: Disk>(
    disk: &D,
    cache_size: usize,
    workers: &Arc<dyn Workers>,
) -> Result<Arc<StateStore>, StoreError> {
    let path = disk.name(DatabaseKind::State);
    let database = open_database(disk, DatabaseKind::State, cache_size)?;
    Base::create(&database)?;
    let state = State::open(Arc::new(Base::last(&database)?), &path)?;
    let store = Arc::new(StateStore::new(state, path.clone(), Arc::clone(workers)));
    let worker = Worker::new(database, Arc::clone(&store));
    workers
        .start("state", Box::pin(worker.run()))
        .map_err(|source| StoreError::File {
            doing: "start the writer of",
            path,
            source,
        })?;
    Ok(store)
}
