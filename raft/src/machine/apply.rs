//! Applying committed entries.

use std::io;
use std::marker::PhantomData;
use std::sync::Arc;

use futures::{Stream, StreamExt};
use openraft::storage::{EntryResponder, RaftStateMachine};
use openraft::type_config::AsyncRuntime;
use openraft::type_config::alias::{EntryOf, LogIdOf, SnapshotMetaOf, SnapshotOf, StoredMembershipOf};
use openraft::{EntryPayload, OptionalSend};
use zephyrfs_core::Envelope;
use zephyrfs_core::event::{Change, ClusterChanged};
use zephyrfs_core::units::AppliedIndex;

use super::decision::{decided, write_decided};
use super::snapshot::{SnapshotBuilder, SnapshotView, stored_membership};
use super::store::StateStore;
use crate::error::StoreError;
use crate::log::{log_id_from_record, log_id_to_record, membership_to_record};
use crate::recent::{Decision, Recent};
use crate::state::{LogIdRecord, MembershipRecord, State};
use crate::types::{Outcome, Types};

/// The state machine of one replica.
pub(crate) struct Machine<R> {
    store: Arc<StateStore>,
    recent: Arc<Recent>,
    raft_id: u64,
    has_snapshot: bool,
    runtime: PhantomData<fn() -> R>,
}

impl<R: AsyncRuntime> Machine<R> {
    /// Applies to `store`, and tells `recent` what was decided.
    pub(crate) fn new(store: Arc<StateStore>, recent: Arc<Recent>, raft_id: u64) -> Self {
        let applied = store.read().header().applied;
        recent.start_at(applied.map_or(0, |applied| applied.index));
        Self {
            store,
            recent,
            raft_id,
            has_snapshot: false,
            runtime: PhantomData,
        }
    }

    fn apply_entry(&self, entry: &EntryOf<Types<R>>) -> Result<Outcome, StoreError> {
        let log_id = log_id_to_record(&entry.log_id);
        match &entry.payload {
            EntryPayload::Blank => {
                self.done(&mut self.store.write(), log_id, Vec::new());
                Ok(Outcome::Nothing)
            }
            EntryPayload::Membership(membership) => {
                let mut state = self.store.write();
                let record = membership_to_record(membership);
                let before = state.header().membership.as_ref();
                let members = members_in(&record);
                // One that changes addresses only, or ends a change that was told of when it began, tells nobody anything.
                let is_news = before.is_none_or(|(_, before)| members_in(before) != members);
                let changes = is_news.then_some(Change::Cluster(members));
                let changes = changes.into_iter().collect();
                state.header_mut().membership = Some((Some(log_id), record));
                self.done(&mut state, log_id, changes);
                Ok(Outcome::Nothing)
            }
            EntryPayload::Normal(command) => self.apply_command(log_id, command.envelope()),
        }
    }

    fn apply_command(&self, log_id: LogIdRecord, envelope: &Envelope) -> Result<Outcome, StoreError> {
        let index = AppliedIndex::new(log_id.index);
        // Nobody else writes, so what is decided while others read still holds when it is written.
        let decided = decided(&self.store.read(), index, envelope)?;
        let mut state = self.store.write();
        let (result, changes) = write_decided(&mut state, decided)?;
        self.done(&mut state, log_id, changes);
        let decision = Arc::new(Decision { index, result });
        self.recent.add(envelope.proposal.id, Arc::clone(&decision));
        Ok(Outcome::Decided(decision))
    }

    /// An entry is applied, and this changed by it.
    fn done(&self, state: &mut State, log_id: LogIdRecord, mut changes: Vec<Change>) {
        let header = state.header_mut();
        // The first entry of a term is the word of its leader.
        if header.applied.is_some_and(|before| before.term != log_id.term) {
            let began = ClusterChanged::TermBegan { term: log_id.term };
            changes.insert(0, Change::Cluster(began));
        }
        header.applied = Some(log_id);
        self.store.ring().add(log_id.index, header.last_time, changes);
    }
}

/// A membership as those see it who watch.
fn members_in(record: &MembershipRecord) -> ClusterChanged {
    let (mut voters, mut learners) = (Vec::new(), Vec::new());
    for (id, name, _, _) in &record.members {
        let votes = record.voters.iter().any(|voters| voters.contains(id));
        let names = if votes { &mut voters } else { &mut learners };
        names.push(name.clone());
    }
    voters.sort_unstable();
    learners.sort_unstable();
    ClusterChanged::Members { voters, learners }
}

impl<R: AsyncRuntime> RaftStateMachine<Types<R>> for Machine<R> {
    type SnapshotData = SnapshotView;
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(
        &mut self,
    ) -> io::Result<(Option<LogIdOf<Types<R>>>, StoredMembershipOf<Types<R>>)> {
        let state = self.store.read();
        let applied = state.header().applied.map(log_id_from_record::<R>);
        Ok((applied, stored_membership::<R>(state.header())?))
    }

    async fn apply<S>(&mut self, mut entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<Types<R>>>> + Unpin + OptionalSend,
    {
        while let Some(entry) = entries.next().await {
            let (entry, responder) = entry?;
            let outcome = self.apply_entry(&entry).inspect_err(|error| {
                tracing::error!(%error, index = entry.log_id.index, "Applying the log failed; this replica stops");
                // Half of the entry may be in memory.
                self.store.fail(error.to_string());
            })?;
            if let Some(responder) = responder {
                responder.send(outcome);
            }
            self.store.bound_memory().await?;
        }
        // Once for the batch: those who wait are not woken for each entry.
        self.store.tell_applied();
        Ok(())
    }

    async fn try_create_snapshot_builder(&mut self, _force: bool) -> Option<SnapshotBuilder> {
        self.has_snapshot = true;
        Some(SnapshotBuilder {
            store: Arc::clone(&self.store),
        })
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotBuilder {
        self.has_snapshot = true;
        SnapshotBuilder {
            store: Arc::clone(&self.store),
        }
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMetaOf<Types<R>>,
        snapshot: SnapshotView,
    ) -> io::Result<()> {
        let mut header = snapshot.header()?;
        if header.applied.map(log_id_from_record::<R>) != meta.last_log_id {
            return Err(StoreError::corrupt("snapshot", "its content is not of the index it claims").into());
        }
        header.raft_id = self.raft_id;
        let applied = header.applied;
        self.store.install(snapshot, header).await?;
        self.store.tell_applied();
        self.recent.start_at(applied.map_or(0, |applied| applied.index));
        self.has_snapshot = true;
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<SnapshotOf<Types<R>, SnapshotView>>> {
        // Before the first one in this process there is none to give: openraft asks for one when it needs it.
        if !self.has_snapshot {
            return Ok(None);
        }
        Ok(Some(SnapshotView::last::<R>(&self.store)?))
    }
}
