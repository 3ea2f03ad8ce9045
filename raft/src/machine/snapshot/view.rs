//! A view of a durable state, and making one of the last commit: nothing is copied.

use std::io;
use std::sync::Arc;

use openraft::RaftSnapshotBuilder;
use openraft::storage::{Snapshot, SnapshotMeta};
use openraft::type_config::AsyncRuntime;
use openraft::type_config::alias::{SnapshotMetaOf, SnapshotOf, StoredMembershipOf};
use redb::Database;

use super::inbox::Ticket;
use super::part::{Position, SnapshotId};
use super::parts::Parts;
use crate::error::StoreError;
use crate::kv::{Base, Retirement};
use crate::log::{log_id_from_record, membership_from_record};
use crate::machine::store::StateStore;
use crate::state::{Header, State};
use crate::types::Types;
use crate::workers::Workers;

/// A durable state as of one commit; later commits do not change it. It is this replica's own, or one that was received from
/// another and can be installed.
pub struct SnapshotView {
    base: Arc<Base>,
    path: String,
    workers: Arc<dyn Workers>,
    received: Option<Received>,
}

/// A complete state in a file of its own. Unless it is installed, the file goes when this is dropped.
pub(in crate::machine) struct Received {
    // The ticket comes last: it deletes the file.
    pub(in crate::machine) state: Box<State>,
    pub(in crate::machine) database: Database,
    pub(in crate::machine) retirement: Retirement,
    pub(super) ticket: Ticket,
}

impl Received {
    /// Makes the file the state's: on disk, and until no power cut can undo it.
    pub(in crate::machine) fn promote(&self) -> Result<(), StoreError> {
        self.ticket.redeem()
    }
}

impl SnapshotView {
    /// The last durable state, and what it is a snapshot of.
    pub(crate) fn last<R: AsyncRuntime>(
        store: &StateStore,
    ) -> Result<SnapshotOf<Types<R>, Self>, StoreError> {
        let view = Self {
            base: store.read().base(),
            path: store.path().to_owned(),
            workers: store.workers(),
            received: None,
        };
        let header = view.header()?;
        Ok(Snapshot {
            meta: meta::<R>(&header)?,
            snapshot: view,
        })
    }

    /// A state that was received.
    pub(super) const fn received(
        base: Arc<Base>,
        path: String,
        workers: Arc<dyn Workers>,
        received: Received,
    ) -> Self {
        Self {
            base,
            path,
            workers,
            received: Some(received),
        }
    }

    /// Its rows in parts, to send them: those after a place that the receiver tells, or all. Read as they are taken.
    ///
    /// # Errors
    /// [`StoreError`] if reading cannot begin.
    pub(crate) fn parts(&self, after: Option<Position>) -> Result<Parts, StoreError> {
        let Header { raft_id, applied, .. } = self.header()?;
        let id = SnapshotId {
            sender: raft_id,
            applied,
        };
        Parts::read(Arc::clone(&self.base), id, after, &*self.workers)
    }

    /// What openraft wants to know of it.
    ///
    /// # Errors
    /// [`StoreError`] if it cannot be read.
    pub(crate) fn meta<R: AsyncRuntime>(&self) -> Result<SnapshotMetaOf<Types<R>>, StoreError> {
        meta::<R>(&self.header()?)
    }

    /// What the state is stamped with.
    pub(crate) fn header(&self) -> Result<Header, StoreError> {
        State::header_of(&self.base, &self.path)
    }

    /// The tables.
    #[cfg(test)]
    pub(crate) fn base(&self) -> &Base {
        &self.base
    }

    /// The same rows, read by other workers.
    #[cfg(test)]
    pub(crate) fn with_workers(&self, workers: Arc<dyn Workers>) -> Self {
        Self {
            base: Arc::clone(&self.base),
            path: self.path.clone(),
            workers,
            received: None,
        }
    }

    /// The tables, and the file that they are in if that can be installed as it is.
    pub(in crate::machine) fn into_content(self) -> (Arc<Base>, Option<Received>) {
        let Self { base, received, .. } = self;
        (base, received)
    }
}

fn meta<R: AsyncRuntime>(header: &Header) -> Result<SnapshotMetaOf<Types<R>>, StoreError> {
    Ok(SnapshotMeta {
        last_log_id: header.applied.map(log_id_from_record::<R>),
        last_membership: stored_membership::<R>(header)?,
    })
}

/// The membership that a header tells of.
pub(in crate::machine) fn stored_membership<R: AsyncRuntime>(
    header: &Header,
) -> Result<StoredMembershipOf<Types<R>>, StoreError> {
    let Some((log_id, record)) = &header.membership else {
        return Ok(StoredMembershipOf::<Types<R>>::default());
    };
    let log_id = log_id.map(log_id_from_record::<R>);
    Ok(openraft::StoredMembership::new(
        log_id,
        membership_from_record(record)?,
    ))
}

/// Makes a snapshot: what was applied is made durable, and that is all. The log may be purged up to it then.
pub(crate) struct SnapshotBuilder {
    pub(in crate::machine) store: Arc<StateStore>,
}

impl<R: AsyncRuntime> RaftSnapshotBuilder<Types<R>> for SnapshotBuilder {
    type SnapshotData = SnapshotView;

    async fn build_snapshot(&mut self) -> io::Result<SnapshotOf<Types<R>, SnapshotView>> {
        self.store.flush().await?;
        Ok(SnapshotView::last::<R>(&self.store)?)
    }
}
