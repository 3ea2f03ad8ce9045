//! The one word that clients see for a node's state.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The one word for a node's state, made from what is wanted of it and what is observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum NodeStatus {
    /// In service and heard from.
    Active,
    /// Silent for too long, or unregistered.
    Inactive,
    /// In maintenance, heard from or not.
    Maintenance,
    /// Draining and heard from.
    Draining,
}

impl NodeStatus {
    /// Every status, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::Active, Self::Inactive, Self::Maintenance, Self::Draining];

    /// The word that clients and dashboards know.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Maintenance => "maintenance",
            Self::Draining => "draining",
        }
    }
}

impl fmt::Display for NodeStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a status is active, inactive, maintenance or draining")]
pub struct ParseStatusError;

impl FromStr for NodeStatus {
    type Err = ParseStatusError;

    fn from_str(word: &str) -> Result<Self, ParseStatusError> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == word)
            .ok_or(ParseStatusError)
    }
}

#[cfg(test)]
mod tests {
    use super::NodeStatus;

    #[test]
    fn status_words_round_trip() {
        for status in NodeStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        assert!("asleep".parse::<NodeStatus>().is_err());
    }
}
