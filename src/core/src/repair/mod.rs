//! Keeping chunks alive: what they lack, what they have too much of, and what is to be done about it.
//!
//! Pure policy. A patrol hands in chunks page by page ([`plan`]) and proposes what comes out; the commands check again what
//! must be true. What is decided here, and why:
//!
//! - Delays follow what is left ([`judge`]): a reboot moves nothing, a last copy does not wait long.
//! - Work has strict classes ([`Class`]), and limits for each node, each failure domain and all together
//!   ([`Workload`]), and bytes a second ([`Budget`]).
//! - What is not urgent makes way for clients: so much of it is under way that they hardly notice ([`Pace`]).
//! - When very many nodes fall silent together, nothing is done at all ([`brake`]).
//! - Copies move from full nodes to empty ones only while nothing is lacking ([`Imbalance`]).

mod brake;
mod budget;
mod census;
mod class;
mod drain;
mod judge;
mod memory;
mod pace;
mod plan;
mod rebalance;
mod release;
mod tally;
#[cfg(test)]
mod tests;
mod workload;

pub use brake::{Brake, BrakePolicy, Heard, brake};
pub use budget::{Budget, Rates};
pub use class::Class;
pub use drain::{Progress, Shortfall, check_room, progress};
pub use judge::{Judgement, Policy, judge};
pub use memory::Memory;
pub use pace::Pace;
pub use plan::{Plan, Round, plan};
pub use rebalance::Imbalance;
pub use release::deletable;
pub use tally::{Tally, Waiting};
pub use workload::{Limits, Workload};

use crate::id::NodeId;
use crate::row::NodeRow;
use census::Census;

/// Where nodes are looked up.
pub trait Nodes {
    /// A node's row, if it is known.
    fn node(&self, id: &NodeId) -> Option<&NodeRow>;

    /// Whether a node was not heard from for longer than it should take, and may be lost: nothing is copied from it or to
    /// it until that is clear.
    fn is_late(&self, id: &NodeId) -> bool;
}

impl Nodes for std::collections::BTreeMap<NodeId, NodeRow> {
    fn node(&self, id: &NodeId) -> Option<&NodeRow> {
        self.get(id)
    }

    fn is_late(&self, _: &NodeId) -> bool {
        false
    }
}
