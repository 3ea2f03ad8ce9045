//! The Raft log, vote and identity on disk.
//!
//! Appending never waits for the disk: entries are readable at once from memory, and a writer worker puts everything
//! that has gathered meanwhile into one durable commit, which all waiting writes share. Vote, appends, truncations and
//! purges go through one queue in order, because a vote written before the entries it follows could lose a commit.

mod identity;
mod new;
mod pairing;
mod reader;
mod record;
mod recovery;
mod shared;
mod stopped;
mod store;
mod tail;
mod volume;
mod write;
mod writer;

pub(crate) use identity::{Identity, mint_cluster_id};
pub(crate) use new::NewLog;
pub(crate) use pairing::check_same_replica;
pub(crate) use record::{
    decode_entry, encode_entry, log_id_from_record, log_id_to_record, membership_from_record,
    membership_to_record,
};
pub use recovery::Recovered;
pub(crate) use recovery::recover;
pub(crate) use stopped::StoppedLog;
pub(crate) use store::LogStore;

use openraft::type_config::alias::{EntryOf, LogIdOf, VoteOf};

use crate::types::Types;

pub(crate) type Entry<R> = EntryOf<Types<R>>;
type LogId<R> = LogIdOf<Types<R>>;
type Vote<R> = VoteOf<Types<R>>;
