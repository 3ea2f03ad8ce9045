//! What nobody asks the database about, in the form in which the coordinator keeps it elsewhere.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::StoreError;

/// As bytes.
///
/// # Errors
/// If it cannot be encoded, which nothing of ours does.
pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, StoreError> {
    bincode::serde::encode_to_vec(value, bincode::config::standard())
        .map_err(|error| StoreError::corrupt(format!("a value cannot be encoded: {error}")))
}

/// From bytes.
///
/// # Errors
/// If they are not what [`encode`] makes of any such value, or of one that only a newer version knows.
pub(crate) fn decode<T: DeserializeOwned>(what: &str, bytes: &[u8]) -> Result<T, StoreError> {
    match bincode::serde::decode_from_slice(bytes, bincode::config::standard()) {
        Ok((value, read)) if read == bytes.len() => Ok(value),
        Ok(_) => Err(StoreError::corrupt(format!(
            "{what} is followed by foreign bytes"
        ))),
        Err(error) => Err(StoreError::corrupt(format!("{what} cannot be read: {error}"))),
    }
}
