//! The rows of a replica that is not running.
//!
//! Its state may be behind its log, by as much as was applied since the last commit of the state. Everything in the log
//! counts as committed here, as it does in a recovery: of the replicas of a cluster, the one whose log ends with the greatest
//! term, and in that with the greatest index, has everything that was ever acknowledged (Ongaro, "Consensus: Bridging Theory and
//! Practice", 3.6.1). Which one that is only the operator can see.

use std::sync::Arc;

use openraft::type_config::AsyncRuntime;
use openraft::{EntryPayload, TokioRuntime};
use redb::Database;
use zephyrfs_core::Totals;
use zephyrfs_core::row::Row;
use zephyrfs_core::store::RowStore;
use zephyrfs_core::units::AppliedIndex;

use crate::disk::{DatabaseKind, Disk, Files, look_at_database};
use crate::error::StoreError;
use crate::kv::Base;
use crate::log::{StoppedLog, log_id_to_record, membership_to_record};
use crate::machine::{decided, write_decided};
use crate::state::State;

/// So little of a file is read twice that keeping it is hardly worth it.
const CACHE_BYTES: usize = 64 << 20;

/// The rows of a replica that is not running, up to the end of its log. Nothing on its disk is changed.
pub struct StoppedReplica {
    // Before the database that it reads.
    state: State,
    _database: Database,
    name: String,
    others: Vec<String>,
}

impl StoppedReplica {
    /// Looks at the data of a replica that is not running.
    ///
    /// # Errors
    /// [`StoreError::NothingToExport`], or why the data cannot be read.
    pub fn open(disk: &Files) -> Result<Self, StoreError> {
        Self::open_on::<TokioRuntime, _>(disk)
    }

    pub(crate) fn open_on<R: AsyncRuntime, D: Disk>(disk: &D) -> Result<Self, StoreError> {
        let nothing = || StoreError::NothingToExport {
            path: disk.name(DatabaseKind::State),
        };
        let log = StoppedLog::<R>::open(disk)?.ok_or_else(nothing)?;
        let database = look_at_database(disk, DatabaseKind::State, CACHE_BYTES)?;
        // Its making may have been cut short, or it was never begun: then the log alone makes up the state.
        let database = match database {
            Some(database) => database,
            None => Database::builder()
                .create_with_backend(redb::backends::InMemoryBackend::new())
                .map_err(|error| StoreError::Database {
                    doing: "make a database in memory",
                    source: Box::new(error.into()),
                })?,
        };
        Base::create(&database)?;
        let base = Arc::new(Base::last(&database)?);
        let mut state = State::open(base, &disk.name(DatabaseKind::State))?;
        log.check_pair(disk, state.header().raft_id)?;
        let applied = state.header().applied.map(|applied| applied.index);
        for entry in log.entries_after(applied)? {
            replay::<R>(&mut state, &entry?)?;
        }
        if state.header().applied.is_none() {
            return Err(nothing());
        }
        let members = state.header().membership.iter();
        let mut members: Vec<(u64, String)> = members
            .flat_map(|(_, membership)| &membership.members)
            .map(|(id, name, ..)| (*id, name.clone()))
            .collect();
        members.sort();
        let (own, others): (Vec<_>, Vec<_>) = members.into_iter().partition(|(id, _)| *id == log.raft_id());
        let names = |members: Vec<(u64, String)>| members.into_iter().map(|(_, name)| name);
        Ok(Self {
            state,
            _database: database,
            name: names(own).next().unwrap_or_default(),
            others: names(others).collect(),
        })
    }

    /// The replica's name; empty if it never was a member of a cluster.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of the other members of its cluster. They may have what this one has not.
    pub fn others(&self) -> &[String] {
        &self.others
    }

    /// The last entry of its log.
    pub fn index(&self) -> AppliedIndex {
        AppliedIndex::new(self.state.header().applied.map_or(0, |applied| applied.index))
    }

    /// The term of that entry.
    pub fn term(&self) -> u64 {
        self.state.header().applied.map_or(0, |applied| applied.term)
    }

    /// How much there is.
    pub fn totals(&self) -> &Totals {
        &self.state.header().totals
    }

    /// Hands every row to `take`, kind by kind, until it answers `false`.
    ///
    /// # Errors
    /// Why rows cannot be read.
    pub fn dump(&self, take: &mut dyn FnMut(Row) -> bool) -> Result<(), StoreError> {
        self.state.dump(take)
    }
}

/// Applies an entry to a state that nobody else sees.
fn replay<R: AsyncRuntime>(state: &mut State, entry: &crate::log::Entry<R>) -> Result<(), StoreError> {
    let log_id = log_id_to_record(&entry.log_id);
    match &entry.payload {
        EntryPayload::Blank => {}
        EntryPayload::Membership(membership) => {
            state.header_mut().membership = Some((Some(log_id), membership_to_record(membership)));
        }
        EntryPayload::Normal(command) => {
            let decided = decided(state, AppliedIndex::new(log_id.index), command.envelope())?;
            // What it was answered, and who was told of it, is past.
            let (_answer, _changes) = write_decided(state, decided)?;
        }
    }
    state.header_mut().applied = Some(log_id);
    Ok(())
}
