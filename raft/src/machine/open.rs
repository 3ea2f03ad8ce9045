//! Opening the state and starting the worker that writes it.

use std::sync::Arc;

use super::below::LogBelow;
use super::snapshot::Inbox;
use super::store::StateStore;
use super::worker::Worker;
use crate::disk::{DatabaseKind, Databases, Disk, open_database};
use crate::error::StoreError;
use crate::kv::{Base, Retirement};
use crate::state::State;
use crate::workers::Workers;

/// Opens the state, or makes an empty one, and starts its worker. Nothing is written to it before `log` is as far.
///
/// # Errors
/// Why it cannot be opened.
pub(crate) fn open_state<D: Disk>(
    disk: &D,
    cache_size: usize,
    workers: &Arc<dyn Workers>,
    log: Arc<dyn LogBelow>,
) -> Result<Arc<StateStore>, StoreError> {
    let path = disk.name(DatabaseKind::State);
    // A snapshot that was on its way when the process ended is sent anew.
    disk.discard_incoming()?;
    // Nor is an import gone on with that was cut short.
    disk.remove(DatabaseKind::Staging)?;
    let database = open_database(disk, DatabaseKind::State, cache_size)?;
    Base::create(&database)?;
    let retirement = Retirement::default();
    let base = Base::last_until(&database, &retirement)?;
    let state = State::open(Arc::new(base), &path)?;
    let inbox = Inbox::new(Arc::new(disk.clone()), Arc::clone(workers), cache_size);
    let store = Arc::new(StateStore::new(state, path.clone(), Arc::clone(workers), inbox));
    let worker = Worker::new(database, retirement, Arc::clone(&store), log);
    workers
        .start("state", Box::pin(worker.run()))
        .map_err(|source| StoreError::File {
            doing: "start the writer of",
            path,
            source,
        })?;
    Ok(store)
}
