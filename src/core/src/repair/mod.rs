//! Judging chunks: how many copies one lacks, which never came, and what can be forgotten or deleted.
//!
//! Pure policy, chunk by chunk. Whoever patrols the chunks proposes what is found here, and the commands check again what
//! must be true. Delays follow what is left: a reboot moves nothing, a last copy does not wait long.

mod judge;
mod release;

pub use judge::{Judgement, Policy, judge};
pub use release::{deletable, is_due};

use crate::id::NodeId;
use crate::row::NodeRow;

/// Where nodes are looked up.
pub trait Nodes {
    /// A node's row, if it is known.
    fn node(&self, id: &NodeId) -> Option<&NodeRow>;
}

impl Nodes for std::collections::BTreeMap<NodeId, NodeRow> {
    fn node(&self, id: &NodeId) -> Option<&NodeRow> {
        self.get(id)
    }
}
