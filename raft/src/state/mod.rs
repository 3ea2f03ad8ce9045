//! The applied rows: how the logical rows of the rules lie in the tables of the embedded engine.
//!
//! The layout is chosen for the cost of registering a file (see `DESIGN.md`): the chunks of a file lie together in
//! *segments* under an ascending handle, with their replicas inline, so that a file of eight chunks is ten small rows,
//! nine of them appended or short. Nodes and their last heartbeats are kept decoded in memory as well.

mod chunks;
mod dump;
mod files;
mod header;
mod load;
mod pages;
mod registry;
mod segment;
mod sharers;
mod store;
mod tasks;
mod usages;

pub(crate) use header::{Header, LogIdRecord, MembershipRecord};
pub(crate) use store::State;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::StoreError;
use crate::kv::Table;

/// Encodes a value of a table.
fn encode(table: Table, value: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    bincode::serde::encode_to_vec(value, bincode::config::standard())
        .map_err(|error| StoreError::corrupt(table.name(), error))
}

/// Decodes a value of a table.
fn decode<T: DeserializeOwned>(table: Table, bytes: &[u8]) -> Result<T, StoreError> {
    let (value, read) = bincode::serde::decode_from_slice(bytes, bincode::config::standard())
        .map_err(|error| StoreError::corrupt(table.name(), error))?;
    if read != bytes.len() {
        return Err(StoreError::corrupt(
            table.name(),
            format!("{} bytes too many", bytes.len() - read),
        ));
    }
    Ok(value)
}

/// Reads the text that a key is.
fn text_key(table: Table, key: &[u8]) -> Result<&str, StoreError> {
    std::str::from_utf8(key).map_err(|error| StoreError::corrupt(table.name(), error))
}
