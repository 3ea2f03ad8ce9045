//! Making a cluster of one out of a replica whose cluster lost its quorum for good.
//!
//! Everything that is in the log counts as committed from then on: what the cluster acknowledged and this replica has is
//! kept, and so may be what the cluster never acknowledged. What this replica never got is gone. The new cluster id keeps
//! the other replicas of the old cluster out, should they come back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use openraft::impls::leader_id_std::LeaderId;
use openraft::type_config::AsyncRuntime;
use openraft::{EntryPayload, Membership};
use redb::{Database, Durability};

use super::identity::{FORMAT_KEY, IDENTITY_KEY, Identity, mint_cluster_id, refuse_half_an_import};
use super::pairing::check_same_replica;
use super::record::{
    ENTRIES, FORMAT, VALUES, encode_entry, encode_value, encode_vote, log_id_from_record, log_id_to_record,
};
use super::store::{CACHE_BYTES, load};
use super::writer::{COMMITTED_KEY, PURGED_KEY, VOTE_KEY};
use super::{Entry, LogId};
use crate::disk::{DatabaseKind, Disk, look_at_database, open_database};
use crate::error::{Doing, StoreError};
use crate::kv::Base;
use crate::state::{Header, State};
use crate::types::{LeaderTerm, Peer};

/// What a recovery made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// The id of the cluster that was.
    pub old_cluster: String,
    /// The id of the new one.
    pub new_cluster: String,
    /// The last entry that is kept.
    pub last_index: u64,
    /// The names of the members that are none any more.
    pub left_behind: Vec<String>,
}

/// Makes a cluster of one out of this replica's data. The replica must not be running. Unless `really`, nothing on the disk
/// is changed.
///
/// # Errors
/// Why that cannot be done; nothing is changed then.
pub(crate) fn recover<R: AsyncRuntime, D: Disk>(
    disk: &D,
    peer: &Peer,
    really: bool,
) -> Result<Recovered, StoreError> {
    let path = disk.name(DatabaseKind::Log);
    let nothing = || StoreError::NothingToRecover { path: path.clone() };
    let database = if really && disk.exists(DatabaseKind::Log)? {
        open_database(disk, DatabaseKind::Log, CACHE_BYTES)?
    } else {
        look_at_database(disk, DatabaseKind::Log, CACHE_BYTES)?.ok_or_else(nothing)?
    };
    let identity = Identity::load(&database, &path)?.filter(|identity| !identity.cluster_id.is_empty());
    let Some(identity) = identity else {
        refuse_half_an_import(&database, &path)?;
        return Err(nothing());
    };
    let tail = load::<R>(&database)?;
    let header = header_of_state(disk)?;
    // What would not start afterwards is not touched.
    check_same_replica(disk, identity.raft_id, tail.purged.is_some(), header.raft_id)?;
    let applied = header.applied.map(log_id_from_record::<R>);
    let last = tail.last.max(applied).ok_or_else(nothing)?;
    let members = header
        .membership
        .iter()
        .flat_map(|(_, membership)| &membership.members);
    let mut left_behind: Vec<String> = members
        .filter(|(id, ..)| *id != identity.raft_id)
        .map(|(_, name, ..)| name.clone())
        .collect();
    left_behind.sort();
    let recovered = Recovered {
        old_cluster: identity.cluster_id.clone(),
        new_cluster: mint_cluster_id::<R>(),
        last_index: last.index,
        left_behind,
    };
    if really {
        let rebirth = Rebirth::<R> {
            cluster_id: recovered.new_cluster.clone(),
            raft_id: identity.raft_id,
            term: last
                .leader_id
                .term
                .max(tail.vote.map_or(0, |vote| vote.leader_id.term))
                + 1,
            // A state that is ahead of the log leaves a gap, which counts as purged.
            purged: applied.filter(|_| applied > tail.last),
            last_index: last.index,
        };
        rebirth.write(&database, peer)?;
    }
    Ok(recovered)
}

/// What the state is stamped with; the stamp of an empty one if there is none.
fn header_of_state<D: Disk>(disk: &D) -> Result<Header, StoreError> {
    let Some(state) = look_at_database(disk, DatabaseKind::State, CACHE_BYTES)? else {
        return Ok(Header::default());
    };
    // A state whose making was cut short has no tables. This makes them in memory only.
    Base::create(&state)?;
    State::header_of(&Arc::new(Base::last(&state)?), &disk.name(DatabaseKind::State))
}

/// The beginning of a cluster of one on data that is there: all of it is written in one durable commit.
pub(crate) struct Rebirth<R: AsyncRuntime> {
    /// The id of the cluster.
    pub(crate) cluster_id: String,
    /// Who its only member is.
    pub(crate) raft_id: u64,
    /// In which it leads.
    pub(crate) term: u64,
    /// What the state has and the log has not.
    pub(crate) purged: Option<LogId<R>>,
    /// The last entry that is kept; after it comes the one that makes this replica the only member.
    pub(crate) last_index: u64,
}

impl<R: AsyncRuntime> Rebirth<R> {
    /// Writes it into the log.
    ///
    /// # Errors
    /// Why it could not be written; nothing is changed then.
    pub(crate) fn write(self, database: &Database, peer: &Peer) -> Result<(), StoreError> {
        let Self {
            cluster_id,
            raft_id,
            term,
            purged,
            last_index,
        } = self;
        let identity = Identity {
            cluster_id,
            raft_id,
            is_founder: true,
        };
        let vote = openraft::Vote {
            leader_id: LeaderId {
                term,
                voted_for: raft_id,
            },
            committed: true,
        };
        let log_id = openraft::LogId {
            leader_id: LeaderTerm::new(term),
            index: last_index + 1,
        };
        let voters = vec![BTreeSet::from([raft_id])];
        let members = BTreeMap::from([(raft_id, peer.clone())]);
        let membership =
            Membership::new(voters, members).map_err(|error| StoreError::corrupt("membership", error))?;
        let entry = Entry::<R> {
            log_id,
            payload: EntryPayload::Membership(membership),
        };
        let mut transaction = database.begin_write().doing("begin writing the log")?;
        transaction
            .set_durability(Durability::Immediate)
            .doing("ask for a durable commit")?;
        {
            let mut entries = transaction.open_table(ENTRIES).doing("open the log's entries")?;
            let mut values = transaction.open_table(VALUES).doing("open the log's values")?;
            let mut put = |key, bytes: Vec<u8>| {
                values
                    .insert(key, &*bytes)
                    .map(drop)
                    .doing("write the log's values")
            };
            put(FORMAT_KEY, encode_value(&FORMAT)?)?;
            put(IDENTITY_KEY, encode_value(&identity)?)?;
            put(VOTE_KEY, encode_vote::<R>(&vote)?)?;
            put(COMMITTED_KEY, encode_value(&log_id_to_record(&log_id))?)?;
            if let Some(purged) = &purged {
                put(PURGED_KEY, encode_value(&log_id_to_record(purged))?)?;
                entries.retain(|_, _| false).doing("empty the log")?;
            }
            entries
                .insert(log_id.index, &*encode_entry::<R>(&entry)?)
                .doing("append to the log")?;
        }
        transaction.commit().doing("commit the log")
    }
}
