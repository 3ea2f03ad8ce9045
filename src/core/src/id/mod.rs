//! The names of things, each a type of its own, so that a chunk's id is never handed to a question about nodes.
//!
//! Ids that clients choose are text. In memory they share one allocation between all clones; in the log and in stored
//! rows they are packed (see `packed`). How long an id may be is a limit of the service, not of the rules.

mod digest;
mod packed;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use digest::digest;
pub use packed::{PackError, pack, unpack};

/// Declares a text id: private field, cheap clones, packed in binary formats, plain text in JSON.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// From text of any length.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into())
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.as_ref().to_owned()
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                packed::serialize(&self.0, serializer)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                packed::deserialize(deserializer).map(Self)
            }
        }
    };
}

text_id!(
    /// The id of a storage node: chosen by the node, or assigned when it registers without one.
    NodeId
);
text_id!(
    /// The id of a file, chosen by the client that registers it.
    FileId
);
text_id!(
    /// The id of a chunk, chosen by the client that registers the file; often the hash of its content.
    ChunkId
);
text_id!(
    /// The hash of a chunk's or file's content, as the client computed it. The coordinator compares hashes and never
    /// computes one, so any algorithm and any spelling will do.
    ContentHash
);

/// Declares a 128-bit id that the proposer of a command mints: 32 hex digits as text.
macro_rules! minted_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name([u8; 16]);

        impl $name {
            /// From 16 bytes, which the caller draws at random or derives from a number.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The 16 bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", u128::from_be_bytes(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, ParseIdError> {
                if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                    return Err(ParseIdError);
                }
                let number = u128::from_str_radix(text, 16).map_err(|_| ParseIdError)?;
                Ok(Self(number.to_be_bytes()))
            }
        }
    };
}

minted_id!(
    /// The id of one proposal: it names what the proposal leaves behind, such as unfinished work.
    RequestId
);
minted_id!(
    /// The id of a task that a storage node is to do.
    TaskId
);

/// A text is not an id of 32 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id has 32 hex digits")]
pub struct ParseIdError;

#[cfg(test)]
mod tests {
    use super::{ChunkId, TaskId};

    #[test]
    fn minted_ids_round_trip_as_text() {
        let id = TaskId::from_bytes(*b"0123456789abcdef");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!("12".parse::<TaskId>().is_err());
        assert!("+123456789012345678901234567890a".parse::<TaskId>().is_err());
    }

    #[test]
    fn json_carries_ids_as_plain_text() {
        let id = ChunkId::from("deadbeefdeadbeef");
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json, "\"deadbeefdeadbeef\"");
        assert_eq!(serde_json::from_str::<ChunkId>(&json).unwrap(), id);
    }
}
