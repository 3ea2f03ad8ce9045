//! The brake: when very many nodes fall silent together, it is the network or a mistake, not the disks.
//!
//! Copying everything that they hold would take hours, fill the nodes that are left, and be for nothing once they are
//! back. So repair stops until they return, or an operator says that they will not. It is worked out of the nodes' rows
//! alone, so every replica, and every new leader, comes to the same answer.

use std::collections::BTreeSet;

use crate::id::NodeId;
use crate::placement::Domain;
use crate::row::{NodeRow, Observed, Wanted};
use crate::units::{Millis, Timestamp};

/// A silence of fewer nodes than this is never taken for more than that of each.
const FEWEST: usize = 2;

/// How many whole failure domains must be lost together.
const DOMAINS: usize = 2;

/// When repair is to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrakePolicy {
    /// More than this share of the active nodes, in permille.
    pub ratio_permille: u64,
    /// Nodes that fall silent within so long do so together.
    pub window: Millis,
    /// A node that was not heard from for so long is on its way to be found silent: it counts, if others were found so
    /// just now.
    pub late_after: Millis,
}

/// Repair is stopped, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brake {
    /// When the first of them fell silent.
    pub since: Timestamp,
    /// The nodes that fell silent together.
    pub silent: BTreeSet<NodeId>,
    /// How many were active before.
    pub of: usize,
    /// Failure domains that are lost altogether, such as `zone b`.
    pub domains: Vec<String>,
}

/// A node as the brake sees it.
#[derive(Debug, Clone, Copy)]
pub struct Heard<'a> {
    /// The node.
    pub id: &'a NodeId,
    /// Its row.
    pub row: &'a NodeRow,
    /// When it was last heard from.
    pub last: Option<Timestamp>,
}

impl Heard<'_> {
    /// Whether the node is not found silent yet and was not heard from for longer than it should take.
    pub fn is_late(&self, now: Timestamp, late_after: Millis) -> bool {
        let heard = self.last.unwrap_or(self.row.registered_at);
        self.row.observed == Observed::Active && now.since(heard) > late_after
    }

    /// When it was found silent, or would have been if it had not been held down: one that was counts as silent since before
    /// its last return.
    fn silent_since(&self, since: Timestamp, policy: &BrakePolicy) -> Timestamp {
        let found = self.last.map(|last| last.plus(policy.late_after));
        found.map_or(since, |found| since.max(found))
    }

    /// Whether its silence would matter: nobody has said that it goes, or was told that it can be switched off.
    fn is_expected(&self) -> bool {
        matches!(self.row.wanted, Wanted::InService | Wanted::Draining(_)) && !self.row.is_drained()
    }
}

/// Whether repair is to stop, going by all nodes.
///
/// Nodes that fell silent within one window are looked at together; those that were written off do not count. The brake
/// lifts by itself when enough of them are back.
pub fn brake<'a>(
    nodes: impl IntoIterator<Item = Heard<'a>>,
    now: Timestamp,
    policy: &BrakePolicy,
) -> Option<Brake> {
    let expected: Vec<Heard<'a>> = nodes.into_iter().filter(Heard::is_expected).collect();
    let mut silent: Vec<(Timestamp, Heard<'a>)> = expected
        .iter()
        .filter_map(|node| match node.row.observed {
            Observed::Inactive {
                since,
                written_off: false,
            } => Some((node.silent_since(since, policy), *node)),
            Observed::Inactive { .. } | Observed::Active => None,
        })
        .collect();
    silent.sort_unstable_by_key(|(since, node)| (*since, node.id));
    let last_found = silent.last().map(|(since, _)| *since)?;
    if now.since(last_found) <= policy.window {
        let late = expected
            .iter()
            .filter(|node| node.is_late(now, policy.late_after));
        silent.extend(late.map(|node| (now, *node)));
    }
    let mut end = 0;
    (0..silent.len()).find_map(|begin| {
        let (since, before) = (silent[begin].0, end);
        while silent
            .get(end)
            .is_some_and(|(at, _)| at.since(since) <= policy.window)
        {
            end += 1;
        }
        let together = &silent[begin..end];
        // A window that is a part of one that was looked at has fewer. So few are left to look at, however many are silent.
        let may_hold = together.len() >= FEWEST && end > before;
        may_hold.then(|| judge(together, &expected, since, policy))?
    })
}

/// Whether nodes that fell silent together are too many of those that were there when it began.
fn judge(
    together: &[(Timestamp, Heard<'_>)],
    expected: &[Heard<'_>],
    began: Timestamp,
    policy: &BrakePolicy,
) -> Option<Brake> {
    let before: Vec<&Heard<'_>> = expected
        .iter()
        .filter(|node| match node.row.observed {
            Observed::Active => node.row.registered_at <= began,
            Observed::Inactive { since, .. } => node.silent_since(since, policy) >= began,
        })
        .collect();
    let silent: BTreeSet<NodeId> = together.iter().map(|(_, node)| node.id.clone()).collect();
    let is_too_many = silent.len() as u64 * 1_000 > policy.ratio_permille * before.len() as u64;
    let may_be_domains = silent.len() >= DOMAINS * FEWEST;
    let domains = if may_be_domains {
        lost_domains(&before, &silent)
    } else {
        Vec::new()
    };
    (is_too_many || domains.len() >= DOMAINS).then_some(Brake {
        since: began,
        silent,
        of: before.len(),
        domains,
    })
}

/// The widest failure domains that lost every node they had, of those with more than one.
fn lost_domains(before: &[&Heard<'_>], silent: &BTreeSet<NodeId>) -> Vec<String> {
    let mut nodes: Vec<(Domain, &NodeId)> = before
        .iter()
        .map(|node| (Domain::of(&node.row.capabilities), node.id))
        .collect();
    nodes.sort();
    let mut lost = Vec::new();
    descend(&nodes, 0, silent, &mut lost);
    lost
}

/// Looks at the domains of a level among nodes that share all wider ones.
fn descend(nodes: &[(Domain, &NodeId)], level: usize, silent: &BTreeSet<NodeId>, lost: &mut Vec<String>) {
    if level >= Domain::SHARED_LEVELS {
        return;
    }
    for domain in nodes.chunk_by(|one, other| one.0.name(level) == other.0.name(level)) {
        let is_lost = domain.len() >= FEWEST && domain.iter().all(|(_, node)| silent.contains(*node));
        match domain.first().and_then(|(first, _)| first.name(level)) {
            Some(name) if is_lost => lost.push(name),
            Some(_) | None => descend(domain, level + 1, silent, lost),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Brake, BrakePolicy, Heard, brake};
    use crate::id::NodeId;
    use crate::row::{Contact, Drain, NodeRow, Observed, Wanted};
    use crate::units::{ByteSize, Millis, Timestamp};

    const POLICY: BrakePolicy = BrakePolicy {
        ratio_permille: 300,
        window: Millis::from_seconds(60),
        late_after: Millis::from_seconds(45),
    };

    fn at(seconds: u64) -> Timestamp {
        Timestamp::EPOCH.plus(Millis::from_seconds(seconds))
    }

    const fn silent_since(since: Timestamp) -> Observed {
        Observed::Inactive {
            since,
            written_off: false,
        }
    }

    /// Nodes in zones, each with two racks; all heard at second 1,000.
    struct Fleet(BTreeMap<NodeId, (NodeRow, Timestamp)>);

    impl Fleet {
        fn new(zones: u64, in_each: u64) -> Self {
            let mut nodes = BTreeMap::new();
            for zone in 0..zones {
                for number in 0..in_each {
                    let row = NodeRow {
                        addresses: Vec::new(),
                        capacity: ByteSize::ZERO,
                        capabilities: [
                            ("zone".to_owned(), format!("{zone}")),
                            ("rack".to_owned(), format!("{}", number % 2)),
                        ]
                        .into(),
                        registered_at: at(0),
                        wanted: Wanted::InService,
                        observed: Observed::Active,
                        contact: Contact::default(),
                    };
                    nodes.insert(format!("{zone}-{number}").into(), (row, at(1_000)));
                }
            }
            Self(nodes)
        }

        fn change(&mut self, node: &str, change: impl FnOnce(&mut NodeRow)) {
            change(&mut self.0.get_mut(&node.into()).unwrap().0);
        }

        fn silence(&mut self, nodes: &[&str], since: u64) {
            for &node in nodes {
                self.change(node, |row| row.observed = silent_since(at(since)));
                self.0.get_mut(&node.into()).unwrap().1 = at(since.saturating_sub(60));
            }
        }

        fn brake(&self, now: u64) -> Option<Brake> {
            let nodes = self.0.iter().map(|(id, (row, last))| Heard {
                id,
                row,
                last: Some(*last),
            });
            brake(nodes, at(now), &POLICY)
        }
    }

    #[test]
    fn more_than_the_ratio_within_a_window_stops_repair_until_they_are_back() {
        let mut fleet = Fleet::new(1, 10);
        fleet.silence(&["0-0", "0-2", "0-4"], 990);
        assert_eq!(fleet.brake(1_000), None, "three of ten are not more than 30 %");
        fleet.silence(&["0-6"], 1_050);
        let brake = fleet.brake(1_001).unwrap();
        assert_eq!((brake.silent.len(), brake.of, brake.since), (4, 10, at(990)));
        assert_eq!(fleet.brake(1_000_000).unwrap(), brake, "however long it takes");
        fleet.change("0-2", |row| row.observed = Observed::Active);
        fleet.0.get_mut(&"0-2".into()).unwrap().1 = at(1_000);
        assert_eq!(fleet.brake(1_001), None);
    }

    #[test]
    fn nodes_that_die_one_by_one_do_not() {
        let mut fleet = Fleet::new(1, 10);
        for (number, since) in (0..9).zip([0, 61, 122, 183, 244, 305, 366, 427, 488]) {
            fleet.silence(&[&format!("0-{number}")], 100 + since);
            assert_eq!(fleet.brake(1_000), None, "{number}");
        }
    }

    #[test]
    fn one_node_is_never_a_mass_failure() {
        let mut fleet = Fleet::new(1, 3);
        fleet.silence(&["0-0"], 990);
        assert_eq!(fleet.brake(1_000), None);
        fleet.silence(&["0-1"], 991);
        assert!(fleet.brake(1_000).is_some());
    }

    #[test]
    fn two_whole_failure_domains_stop_repair_and_one_does_not() {
        let mut fleet = Fleet::new(10, 4);
        fleet.silence(&["0-0", "0-1", "0-2", "0-3"], 990);
        assert_eq!(fleet.brake(1_000), None, "one zone, with both of its racks");
        fleet.silence(&["1-0"], 991);
        assert_eq!(fleet.brake(1_000), None, "a node of another rack is no rack");
        fleet.silence(&["1-2"], 992);
        assert_eq!(fleet.brake(1_000).unwrap().domains, ["zone 0", "rack 0"]);
    }

    #[test]
    fn nodes_that_nobody_expects_do_not_count() {
        let mut fleet = Fleet::new(1, 10);
        fleet.silence(&["0-0", "0-2", "0-4", "0-6"], 990);
        fleet.change("0-0", |row| {
            row.observed = Observed::Inactive {
                since: at(990),
                written_off: true,
            };
        });
        assert_eq!(fleet.brake(1_000), None, "an operator said not to wait for it");
        fleet.silence(&["0-0"], 990);
        fleet.change("0-0", |row| row.wanted = Wanted::Maintenance { until: at(5_000) });
        assert!(fleet.brake(1_000).is_some(), "three of nine");
        fleet.change("0-2", |row| {
            row.wanted = Wanted::Removed {
                at: at(995),
                reason: String::new(),
                drain: None,
            };
        });
        assert_eq!(fleet.brake(1_000), None, "two of eight");
    }

    #[test]
    fn drained_nodes_may_be_switched_off_together() {
        let mut fleet = Fleet::new(1, 10);
        let off = ["0-0", "0-2", "0-4", "0-6"];
        fleet.silence(&off, 990);
        for node in off {
            fleet.change(node, |row| row.wanted = crate::testing::draining());
        }
        assert!(fleet.brake(1_000).is_some(), "their copies still count");
        for node in off {
            fleet.change(node, |row| {
                let drain = *row.drain().unwrap();
                row.wanted = Wanted::Draining(Drain {
                    done_at: Some(at(980)),
                    ..drain
                });
            });
        }
        assert_eq!(fleet.brake(1_000), None);
    }

    #[test]
    fn those_that_are_about_to_be_found_silent_count_with_those_that_are() {
        let mut fleet = Fleet::new(1, 10);
        for node in ["0-2", "0-4", "0-6"] {
            fleet.0.get_mut(&node.into()).unwrap().1 = at(950);
        }
        assert_eq!(fleet.brake(1_000), None, "none is found silent yet");
        fleet.silence(&["0-0"], 1_000);
        assert_eq!(fleet.brake(1_000).unwrap().silent.len(), 4);
        assert_eq!(fleet.brake(995), None, "they are not late yet");
    }

    #[test]
    fn nodes_that_registered_since_make_the_silence_no_smaller() {
        let mut fleet = Fleet::new(1, 10);
        fleet.silence(&["0-0", "0-2", "0-4", "0-6"], 990);
        for number in 1..10 {
            let id = format!("0-{number}");
            if number % 2 == 1 {
                fleet.change(&id, |row| row.registered_at = at(991));
            }
        }
        assert_eq!(fleet.brake(1_000).unwrap().of, 5);
    }

    #[test]
    fn nodes_that_come_and_go_are_silent_together_when_they_were_last_heard_together() {
        let mut fleet = Fleet::new(1, 10);
        for (node, since) in [("0-0", 100), ("0-2", 300), ("0-4", 500), ("0-6", 700)] {
            fleet.silence(&[node], since);
            fleet.0.get_mut(&node.into()).unwrap().1 = at(935);
        }
        assert_eq!(fleet.brake(1_000).unwrap().silent.len(), 4);
    }
}
