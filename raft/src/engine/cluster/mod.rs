//! Who the replicas are: forming a cluster, joining one, keeping its membership in order, and changes that operators ask
//! for.
//!
//! A replica has a stable name and a raft id that is minted with its data. One that lost its disk comes back under its name
//! with a new raft id, so that it can never vote twice in one term under one identity.

mod change;
mod forming;
mod greeting;
mod joining;
mod leadership;
mod members;
mod reports;
mod stage;
mod upkeep;

pub(super) use members::Members;
pub(super) use reports::Reports;
pub(super) use stage::Stage;

use std::time::Duration;

/// How a replica finds its peers and what it expects of them.
#[derive(Debug, Clone, Default)]
pub struct Formation {
    /// Where peers may be found: several addresses, or one name that stands for all of them. This replica may be among
    /// them. Empty for a replica that is alone.
    pub peers: Vec<String>,
    /// How many replicas form a new cluster.
    pub expected: usize,
}

impl Formation {
    /// Whether this replica is to form a cluster of itself.
    pub(super) fn is_alone(&self) -> bool {
        self.peers.is_empty() && self.expected <= 1
    }
}

/// A peer is given so long to answer a question about itself.
const GREETING_PATIENCE: Duration = Duration::from_secs(1);

/// A change of the membership is given so long to be committed.
const CHANGE_PATIENCE: Duration = Duration::from_secs(10);
