//! Who a replica is: minted once with its data, and synced before it takes part in anything.

use openraft::type_config::AsyncRuntime;
use redb::{Database, Durability, ReadableDatabase};
use serde::{Deserialize, Serialize};

use super::record::{FORMAT, VALUES, decode_value, encode_value};
use crate::error::{Doing, StoreError};

pub(super) const FORMAT_KEY: &str = "format";
/// There while an import is under way, and after one that was cut short: nobody starts on what is only half there.
const IMPORTING_KEY: &str = "importing";
pub(super) const IDENTITY_KEY: &str = "identity";

/// Who a replica is. A replica that lost its disk comes back with another raft id, so that it can never vote twice in one
/// term under one identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// What all replicas of one service have in common, 32 hex digits; empty while this one belongs to none.
    pub(crate) cluster_id: String,
    /// This replica's id in the protocol: random, never zero.
    pub(crate) raft_id: u64,
    /// Whether this replica minted the cluster id, to form that cluster.
    pub(crate) is_founder: bool,
}

/// A new cluster id, from the runtime's source of randomness.
pub(crate) fn mint_cluster_id<R: AsyncRuntime>() -> String {
    let mut random = R::thread_rng();
    let mut draw = || rand::Rng::next_u64(&mut random);
    format!("{:016x}{:016x}", draw(), draw())
}

impl Identity {
    /// A new identity, from the runtime's source of randomness. It belongs to no cluster yet.
    pub(super) fn mint<R: AsyncRuntime>() -> Self {
        Self {
            cluster_id: String::new(),
            raft_id: rand::Rng::next_u64(&mut R::thread_rng()).max(1),
            is_founder: false,
        }
    }

    /// Reads the identity of a log, or gives an empty log a new one.
    pub(super) fn load_or_mint<R: AsyncRuntime>(database: &Database, path: &str) -> Result<Self, StoreError> {
        if let Some(identity) = Self::load(database, path)? {
            return Ok(identity);
        }
        refuse_half_an_import(database, path)?;
        let identity = Self::mint::<R>();
        let mut transaction = database.begin_write().doing("begin writing the identity")?;
        transaction
            .set_durability(Durability::Immediate)
            .doing("ask for a durable commit")?;
        {
            let mut values = transaction.open_table(VALUES).doing("create the log's values")?;
            values
                .insert(FORMAT_KEY, &*encode_value(&FORMAT)?)
                .doing("write the log's format")?;
            values
                .insert(IDENTITY_KEY, &*encode_value(&identity)?)
                .doing("write the identity")?;
            transaction
                .open_table(super::record::ENTRIES)
                .doing("create the log's entries")?;
        }
        transaction.commit().doing("commit the identity")?;
        Ok(identity)
    }

    pub(super) fn load(database: &Database, path: &str) -> Result<Option<Self>, StoreError> {
        let transaction = database.begin_read().doing("begin reading the log")?;
        let values = match transaction.open_table(VALUES) {
            Ok(values) => values,
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
            Err(error) => return Err(error).doing("open the log's values"),
        };
        let read = |key| -> Result<Option<Vec<u8>>, StoreError> {
            Ok(values
                .get(key)
                .doing("read the log's values")?
                .map(|value| value.value().to_vec()))
        };
        let Some(format) = read(FORMAT_KEY)? else {
            return Ok(None);
        };
        let found: u32 = decode_value(&format)?;
        StoreError::check_format(path, found, FORMAT)?;
        read(IDENTITY_KEY)?.map(|bytes| decode_value(&bytes)).transpose()
    }
}

/// Refuses a log without an identity into whose directory an import is under way, or was cut short.
///
/// # Errors
/// [`StoreError::Importing`], or why it cannot be read.
pub(super) fn refuse_half_an_import(database: &Database, path: &str) -> Result<(), StoreError> {
    let transaction = database.begin_read().doing("begin reading the log")?;
    let is_importing = match transaction.open_table(VALUES) {
        Ok(values) => values
            .get(IMPORTING_KEY)
            .doing("read the log's values")?
            .is_some(),
        Err(redb::TableError::TableDoesNotExist(_)) => false,
        Err(error) => return Err(error).doing("open the log's values"),
    };
    if is_importing {
        return Err(StoreError::Importing {
            path: path.to_owned(),
        });
    }
    Ok(())
}

/// Notes, durably, that an import begins here: until there is an identity nobody starts.
pub(super) fn begin_importing(database: &Database) -> Result<(), StoreError> {
    let mut transaction = database.begin_write().doing("begin writing the log")?;
    transaction
        .set_durability(Durability::Immediate)
        .doing("ask for a durable commit")?;
    {
        let mut values = transaction.open_table(VALUES).doing("create the log's values")?;
        let nothing: &[u8] = &[];
        values
            .insert(IMPORTING_KEY, nothing)
            .doing("write the log's values")?;
    }
    transaction.commit().doing("commit the log")
}
