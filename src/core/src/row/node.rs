//! A storage node as registered, and the one word that clients see for its state.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Contact, Drain};
use crate::status::NodeStatus;
use crate::units::{ByteSize, Millis, Timestamp};

/// A registered storage node. A removed node keeps its row as a tombstone: its id is known, and must register anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRow {
    /// Where the node is reached; clients are given the first.
    pub addresses: Vec<String>,
    /// What the node offers in all.
    pub capacity: ByteSize,
    /// What the node says about itself. `region`, `zone`, `rack` and `host` name its failure domains.
    pub capabilities: BTreeMap<String, String>,
    /// When the id registered first.
    pub registered_at: Timestamp,
    /// What the operator or the node itself wants of it.
    pub wanted: Wanted,
    /// What its heartbeats say.
    pub observed: Observed,
    /// How steadily it is heard.
    pub contact: Contact,
}

/// What the operator or the node itself wants of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wanted {
    /// To hold chunks.
    InService,
    /// To be left alone until a time: its silence starts no repair, and nothing new is placed on it.
    Maintenance {
        /// When it is back in service by itself.
        until: Timestamp,
    },
    /// To give up its chunks: nothing new is placed on it.
    Draining(Drain),
    /// To be gone. The row is a tombstone.
    Removed {
        /// When it was unregistered.
        at: Timestamp,
        /// What the one who unregistered it said.
        reason: String,
        /// The drain that it was in, ended or not: should it come back, that goes on until an operator activates it.
        drain: Option<Drain>,
    },
}

/// What a node's heartbeats say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Observed {
    /// It was heard from lately.
    Active,
    /// It was silent for too long.
    Inactive {
        /// When that was noticed. One that fell silent while it was held down has been so since the time before.
        since: Timestamp,
        /// Whether an operator said not to wait for it: its silence is no reason to hold up repair.
        written_off: bool,
    },
}

impl NodeRow {
    /// The one word for the node's state.
    pub const fn status(&self) -> NodeStatus {
        match (&self.wanted, self.observed) {
            (Wanted::Removed { .. }, _) => NodeStatus::Inactive,
            (Wanted::Maintenance { .. }, _) => NodeStatus::Maintenance,
            (Wanted::InService | Wanted::Draining(_), Observed::Inactive { .. }) => NodeStatus::Inactive,
            (Wanted::InService, Observed::Active) => NodeStatus::Active,
            (Wanted::Draining(_), Observed::Active) => NodeStatus::Draining,
        }
    }

    /// Whether clients may be sent to the node for a chunk: it was heard from and not removed. A draining node still
    /// answers, and may hold a chunk's only copy.
    pub const fn serves_reads(&self) -> bool {
        matches!(self.observed, Observed::Active) && !self.is_removed()
    }

    /// Whether new replicas may be placed on the node.
    pub const fn takes_replicas(&self) -> bool {
        matches!(self.status(), NodeStatus::Active)
    }

    /// Whether a stored copy on the node counts towards those wanted: it is in service and heard from, or expected back.
    pub const fn keeps_replicas(&self) -> bool {
        matches!(
            (&self.wanted, self.observed),
            (Wanted::InService, Observed::Active) | (Wanted::Maintenance { .. }, _)
        )
    }

    /// The drain that the node is in, if it is in one.
    pub const fn drain(&self) -> Option<&Drain> {
        match &self.wanted {
            Wanted::Draining(drain) => Some(drain),
            Wanted::InService | Wanted::Maintenance { .. } | Wanted::Removed { .. } => None,
        }
    }

    /// Whether the node gave up its chunks: it takes none any more, and may be switched off at any time.
    pub fn is_drained(&self) -> bool {
        self.drain().is_some_and(|drain| drain.done_at.is_some())
    }

    /// Whether the node was unregistered because its drain had ended: nothing was left on it.
    pub fn is_decommissioned(&self) -> bool {
        match &self.wanted {
            Wanted::Removed { drain, .. } => drain.is_some_and(|drain| drain.done_at.is_some()),
            Wanted::InService | Wanted::Maintenance { .. } | Wanted::Draining(_) => false,
        }
    }

    /// Whether a stored copy on the node can be relied on now: it counts, and clients can be sent there.
    pub const fn holds_surely(&self) -> bool {
        self.keeps_replicas() && self.serves_reads()
    }

    /// The node after it was heard from again at `now`, if it was silent; `inactive_after` is how long it may be silent.
    pub fn heard_again(&self, now: Timestamp, inactive_after: Millis) -> Option<Self> {
        let Observed::Inactive { since, .. } = self.observed else {
            return None;
        };
        Some(Self {
            observed: Observed::Active,
            contact: self.contact.after_silence(since, now, inactive_after),
            ..self.clone()
        })
    }

    /// Whether the row is the tombstone of an unregistered node.
    pub const fn is_removed(&self) -> bool {
        matches!(self.wanted, Wanted::Removed { .. })
    }

    /// The address that clients are given; empty if the node registered without one.
    pub fn first_address(&self) -> &str {
        self.addresses.first().map_or("", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::{NodeRow, NodeStatus, Observed, Wanted};
    use crate::row::Contact;
    use crate::testing::draining;
    use crate::units::{ByteSize, Timestamp};

    fn node(wanted: Wanted, observed: Observed) -> NodeRow {
        NodeRow {
            addresses: Vec::new(),
            capacity: ByteSize::ZERO,
            capabilities: std::collections::BTreeMap::new(),
            registered_at: Timestamp::EPOCH,
            wanted,
            observed,
            contact: Contact::default(),
        }
    }

    #[test]
    fn status_is_one_word_from_both_axes() {
        let silent = Observed::Inactive {
            since: Timestamp::EPOCH,
            written_off: false,
        };
        let removed = || Wanted::Removed {
            at: Timestamp::EPOCH,
            reason: String::new(),
            drain: None,
        };
        let maintenance = || Wanted::Maintenance {
            until: Timestamp::EPOCH,
        };
        for (wanted, observed, status, reads) in [
            (Wanted::InService, Observed::Active, NodeStatus::Active, true),
            (Wanted::InService, silent, NodeStatus::Inactive, false),
            (draining(), Observed::Active, NodeStatus::Draining, true),
            (draining(), silent, NodeStatus::Inactive, false),
            (maintenance(), Observed::Active, NodeStatus::Maintenance, true),
            (maintenance(), silent, NodeStatus::Maintenance, false),
            (removed(), Observed::Active, NodeStatus::Inactive, false),
        ] {
            let node = node(wanted, observed);
            assert_eq!(node.status(), status, "{node:?}");
            assert_eq!(node.serves_reads(), reads, "{node:?}");
            assert_eq!(node.takes_replicas(), status == NodeStatus::Active, "{node:?}");
        }
    }
}
