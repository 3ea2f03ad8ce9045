//! What is done from time to time: rows are written to disk, and the log is kept from growing without bound.

use std::sync::Arc;
use std::time::Duration;

use openraft::async_runtime::WatchReceiver;
use openraft::type_config::AsyncRuntime;

use super::RaftEngine;
use crate::disk::Disk;

/// A snapshot is made after so many bytes of log, if not earlier after so many entries: commands differ in size by a factor
/// of a thousand. It lets the log be purged, but for the entries that are kept back.
const SNAPSHOT_BYTES: u64 = 256 << 20;

/// Entries are kept back for replicas that lag up to so many bytes, however few entries that are: those that the settings
/// allow could take tens of gigabytes if all commands were large. A replica that lags further gets a snapshot; this is as
/// much as may be written while one is sent.
const KEEP_BYTES: u64 = 2 << 30;

/// Looks after the disk as long as the engine lives.
pub(super) fn keep_house<R: AsyncRuntime, D: Disk>(engine: &Arc<RaftEngine<R, D>>, every: Duration) {
    let engine = Arc::downgrade(engine);
    drop(R::spawn(async move {
        let mut grown = 0;
        loop {
            R::sleep(every).await;
            let Some(engine) = engine.upgrade() else { return };
            let dirty = engine.store.read().is_dirty();
            if dirty {
                engine.store.flush_soon();
            }
            grown += engine.log.growth();
            if grown > SNAPSHOT_BYTES {
                grown = 0;
                engine.make_snapshot().await;
            }
            engine.bound_log(KEEP_BYTES).await;
        }
    }));
}

impl<R: AsyncRuntime, D: Disk> RaftEngine<R, D> {
    async fn make_snapshot(&self) {
        if let Err(fatal) = self.raft.trigger().snapshot().await {
            tracing::debug!(%fatal, "No snapshot is made any more");
        }
    }

    /// Has the log purged so far that it keeps at most so many bytes, if the state on disk has all of that; else the next
    /// call may.
    pub(crate) async fn bound_log(&self, limit: u64) {
        let Some(index) = self.log.excess(limit) else {
            return;
        };
        let snapshot = self.raft.metrics().borrow_watched().snapshot;
        if snapshot.is_none_or(|snapshot| snapshot.index < index) {
            self.make_snapshot().await;
        }
        // openraft purges no further than the last snapshot goes.
        if let Err(fatal) = self.raft.trigger().purge_log(index).await {
            tracing::debug!(%fatal, "The log is not purged any more");
        }
    }
}
