//! Snapshots: a view of the last durable state, made without copying anything.

use std::io;
use std::sync::Arc;

use openraft::RaftSnapshotBuilder;
use openraft::storage::{Snapshot, SnapshotMeta};
use openraft::type_config::AsyncRuntime;
use openraft::type_config::alias::{SnapshotMetaOf, SnapshotOf, StoredMembershipOf};

use super::store::StateStore;
use crate::error::StoreError;
use crate::kv::Base;
use crate::log::{log_id_from_record, membership_from_record};
use crate::state::{Header, State};
use crate::types::Types;

/// A durable state as of one commit; later commits do not change it.
#[derive(Clone)]
pub struct SnapshotView {
    base: Arc<Base>,
    path: String,
}

impl SnapshotView {
    /// The last durable state, and what it is a snapshot of.
    pub(super) fn last<R: AsyncRuntime>(
        store: &StateStore,
    ) -> Result<SnapshotOf<Types<R>, Self>, StoreError> {
        let view = Self {
            base: store.read().base(),
            path: store.path().to_owned(),
        };
        let header = view.header()?;
        Ok(Snapshot {
            meta: meta::<R>(&header)?,
            snapshot: view,
        })
    }

    /// The tables.
    pub(super) fn base(&self) -> Arc<Base> {
        Arc::clone(&self.base)
    }

    /// What the state is stamped with.
    pub(super) fn header(&self) -> Result<Header, StoreError> {
        State::header_of(&self.base, &self.path)
    }
}

fn meta<R: AsyncRuntime>(header: &Header) -> Result<SnapshotMetaOf<Types<R>>, StoreError> {
    Ok(SnapshotMeta {
        last_log_id: header.applied.map(log_id_from_record::<R>),
        last_membership: stored_membership::<R>(header)?,
    })
}

/// The membership that a header tells of.
pub(super) fn stored_membership<R: AsyncRuntime>(
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
    pub(super) store: Arc<StateStore>,
}

impl<R: AsyncRuntime> RaftSnapshotBuilder<Types<R>> for SnapshotBuilder {
    type SnapshotData = SnapshotView;

    async fn build_snapshot(&mut self) -> io::Result<SnapshotOf<Types<R>, SnapshotView>> {
        self.store.flush().await?;
        Ok(SnapshotView::last::<R>(&self.store)?)
    }
}
