//! Which nodes fail, when, and for how long. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use rand::SeedableRng as _;
use rand::rngs::SmallRng;
use rand::seq::IteratorRandom as _;

use crate::layout::{NodeIndex, NodeProfile};

/// What is to fail.
#[derive(Clone, Debug, Default)]
pub struct FailureOrder {
    /// So many nodes, picked at random.
    pub nodes: usize,
    /// All nodes of this zone.
    pub zone: Option<String>,
    /// When, after the start.
    pub after: Duration,
    /// For how long; `None` for good.
    pub lasting: Option<Duration>,
}

/// One node's failure, in time since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Absence {
    /// Who fails.
    pub node: NodeIndex,
    /// When it falls silent.
    pub from: Duration,
    /// When it is back; `None` for never.
    pub until: Option<Duration>,
}

/// An order that cannot be carried out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FailureOrderError {
    /// There are not so many nodes.
    #[error("--fail {asked} is more than the {nodes} nodes there are")]
    TooMany {
        /// How many should fail.
        asked: usize,
        /// How many there are.
        nodes: usize,
    },
    /// There is no such zone.
    #[error("--fail-zone {asked:?}: there is no such zone; zones are {}", known.join(", "))]
    UnknownZone {
        /// What was asked for.
        asked: String,
        /// The zones there are.
        known: Vec<String>,
    },
}

/// The absences that the order comes to; the seed decides which nodes are picked.
///
/// # Errors
/// When there are fewer nodes than should fail, or the zone does not exist.
pub fn absences(
    order: &FailureOrder,
    profiles: &[NodeProfile],
    seed: u64,
) -> Result<Vec<Absence>, FailureOrderError> {
    if order.nodes > profiles.len() {
        return Err(FailureOrderError::TooMany {
            asked: order.nodes,
            nodes: profiles.len(),
        });
    }
    let mut rng = SmallRng::seed_from_u64(seed);
    let picked = (0..profiles.len()).sample(&mut rng, order.nodes);
    let mut failing: BTreeSet<NodeIndex> = picked.into_iter().map(NodeIndex).collect();
    if let Some(zone) = &order.zone {
        failing.extend(nodes_of(zone, profiles)?);
    }
    let until = order.lasting.map(|lasting| order.after.saturating_add(lasting));
    Ok(failing
        .into_iter()
        .map(|node| Absence {
            node,
            from: order.after,
            until,
        })
        .collect())
}

fn nodes_of(zone: &str, profiles: &[NodeProfile]) -> Result<Vec<NodeIndex>, FailureOrderError> {
    let in_zone = profiles
        .iter()
        .enumerate()
        .filter(|(_, profile)| profile.zone == zone);
    let nodes: Vec<_> = in_zone.map(|(index, _)| NodeIndex(index)).collect();
    if nodes.is_empty() {
        let known: BTreeSet<_> = profiles.iter().map(|profile| profile.zone.clone()).collect();
        let known = known.into_iter().collect();
        return Err(FailureOrderError::UnknownZone {
            asked: zone.to_owned(),
            known,
        });
    }
    Ok(nodes)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytesize::ByteSize;

    use super::{FailureOrder, FailureOrderError, absences};
    use crate::layout::{Layout, NodeProfile};

    fn profiles() -> Vec<NodeProfile> {
        let layout = Layout {
            nodes: 12,
            name_prefix: "fleet".to_owned(),
            zones: 3,
            racks: 2,
            address_template: None,
            capacity: ByteSize::gib(1),
            capacity_spread: 0.0,
            seed: 1,
        };
        layout.profiles()
    }

    #[test]
    fn so_many_nodes_fail_and_come_back() {
        let (after, lasting) = (Duration::from_secs(30), Some(Duration::from_secs(120)));
        let order = FailureOrder {
            nodes: 5,
            zone: None,
            after,
            lasting,
        };
        let absences = absences(&order, &profiles(), 3).unwrap();
        assert_eq!(absences.len(), 5);
        assert!(absences.iter().all(|absence| absence.from == after));
        assert!(
            absences
                .iter()
                .all(|absence| absence.until == Some(Duration::from_secs(150)))
        );
    }

    #[test]
    fn a_zone_fails_as_a_whole_and_for_good() {
        let order = FailureOrder {
            zone: Some("zone-2".to_owned()),
            ..FailureOrder::default()
        };
        let profiles = profiles();
        let absences = absences(&order, &profiles, 3).unwrap();
        assert_eq!(absences.len(), 4);
        assert!(
            absences
                .iter()
                .all(|absence| profiles[absence.node.0].zone == "zone-2")
        );
        assert!(absences.iter().all(|absence| absence.until.is_none()));
    }

    #[test]
    fn orders_that_cannot_be_carried_out_are_refused() {
        let order = FailureOrder {
            nodes: 13,
            ..FailureOrder::default()
        };
        let expected = FailureOrderError::TooMany { asked: 13, nodes: 12 };
        assert_eq!(absences(&order, &profiles(), 3), Err(expected));
        let order = FailureOrder {
            zone: Some("zone-9".to_owned()),
            ..FailureOrder::default()
        };
        let error = absences(&order, &profiles(), 3).unwrap_err();
        assert!(
            error.to_string().ends_with("zones are zone-1, zone-2, zone-3"),
            "{error}"
        );
    }
}
