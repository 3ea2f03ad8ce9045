//! Choosing nodes for chunks: a pure planner, run before a command is proposed.
//!
//! What it chooses travels in the command, so replicas of different versions never diverge over it; the decision only
//! checks that it still holds. Hard filters come first, each with a reason ([`Exclusion`]). Among the rest, replicas of a
//! chunk are spread over failure domains, then nodes that are filling up come last, then chance decides, weighted by free
//! space and load: always taking "the best" would send every chunk to the same few nodes.

mod candidate;
mod choice;
mod copies;
mod domain;
mod explain;
mod misplaced;
mod plan;
mod room;
mod spread;
#[cfg(test)]
mod tests;
mod topology;

pub use candidate::{Candidate, Exclusion};
pub use copies::CopyWanted;
pub use domain::Domain;
pub use explain::explain;
pub use plan::{Plan, Policy};
pub use room::Purpose;
pub use topology::Topology;
