//! The brake: when very many nodes fall silent together, it is the network or a mistake, not the disks.
//!
//! Copying everything that they hold would take hours, fill the nodes that are left, and be for nothing once they are
//! back. So repair stops until they return, or an operator says that they will not. It is worked out of the nodes' rows
//! alone, so every replica, and every new leader, comes to the same answer.

use std::collections::BTreeSet;

use super::Census;
use crate::id::NodeId;
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
    pub(super) fn silent_since(&self, since: Timestamp, policy: &BrakePolicy) -> Timestamp {
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
    let silent = silences(&expected, now, policy);
    let mut census = begin(&expected, &silent, policy)?;
    look(&expected, &silent, &mut census, policy)
}

/// The census that silences are looked at with; `None` if they are too few to matter.
fn begin<'a>(
    expected: &[Heard<'a>],
    silent: &[(Timestamp, usize)],
    policy: &BrakePolicy,
) -> Option<Census<'a>> {
    let are_together = |some: &[(Timestamp, usize)]| some[some.len() - 1].0.since(some[0].0) <= policy.window;
    let are_some = silent.windows(FEWEST).any(are_together);
    let domains_matter = || silent.windows(DOMAINS * FEWEST).any(are_together);
    are_some.then(|| Census::new(expected, policy, domains_matter()))
}

/// Looks at the nodes that fell silent within each window, in the order in which the windows begin.
fn look(
    expected: &[Heard<'_>],
    silent: &[(Timestamp, usize)],
    census: &mut Census<'_>,
    policy: &BrakePolicy,
) -> Option<Brake> {
    let mut end = 0;
    for (begin, (since, _)) in silent.iter().enumerate() {
        if let Some(over) = begin.checked_sub(1) {
            census.set_silent(silent[over].1, false);
        }
        census.look_at(*since);
        let before = end;
        while let Some((_, place)) = silent
            .get(end)
            .filter(|(at, _)| at.since(*since) <= policy.window)
        {
            census.set_silent(*place, true);
            end += 1;
        }
        // A window that is a part of one that was looked at has fewer.
        let may_hold = end > before;
        let brake = may_hold.then(|| judge(&silent[begin..end], expected, census, policy));
        if let Some(brake) = brake.flatten() {
            return Some(brake);
        }
    }
    None
}

/// The places of the nodes that are silent and not written off, by when they fell silent; with those that are late, if others
/// were found silent just now. None if nobody is found silent.
fn silences(expected: &[Heard<'_>], now: Timestamp, policy: &BrakePolicy) -> Vec<(Timestamp, usize)> {
    let found = expected
        .iter()
        .enumerate()
        .filter_map(|(place, node)| match node.row.observed {
            Observed::Inactive {
                since,
                written_off: false,
            } => Some((node.silent_since(since, policy), place)),
            Observed::Inactive { .. } | Observed::Active => None,
        });
    let mut silent: Vec<(Timestamp, usize)> = found.collect();
    let last_found = silent.iter().map(|(since, _)| *since).max();
    if last_found.is_some_and(|last_found| now.since(last_found) <= policy.window) {
        let nodes = expected.iter().enumerate();
        let late = nodes.filter(|(_, node)| node.is_late(now, policy.late_after));
        silent.extend(late.map(|(place, _)| (now, place)));
    }
    silent.sort_unstable();
    silent
}

/// Whether nodes that fell silent together are too many of those that were there when it began.
fn judge(
    together: &[(Timestamp, usize)],
    expected: &[Heard<'_>],
    census: &Census<'_>,
    policy: &BrakePolicy,
) -> Option<Brake> {
    let (began, _) = together.first().filter(|_| together.len() >= FEWEST)?;
    let is_too_many = together.len() as u64 * 1_000 > policy.ratio_permille * census.there() as u64;
    let may_be_domains = together.len() >= DOMAINS * FEWEST;
    let are_domains = || may_be_domains && census.lost().nth(DOMAINS - 1).is_some();
    (is_too_many || are_domains()).then(|| Brake {
        since: *began,
        silent: together
            .iter()
            .map(|(_, place)| expected[*place].id.clone())
            .collect(),
        of: census.there(),
        domains: census.lost().filter(|_| may_be_domains).collect(),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Brake, BrakePolicy, Heard, begin, brake, look, silences};
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

        fn heard(&self) -> impl Iterator<Item = Heard<'_>> {
            self.0.iter().map(|(id, (row, last))| Heard {
                id,
                row,
                last: Some(*last),
            })
        }

        fn brake(&self, now: u64) -> Option<Brake> {
            brake(self.heard(), at(now), &POLICY)
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
    fn a_silence_more_does_not_cost_another_look_at_all_nodes() {
        // Four thousand nodes, of which every fourth dies: one after the other, and five in each window.
        let mut fleet = Fleet::new(40, 100);
        for zone in 0..40 {
            for number in (0..100).step_by(4) {
                let since = 15 * (zone * 25 + number / 4);
                fleet.silence(&[&format!("{zone}-{number}")], since);
            }
        }
        let nodes: Vec<_> = fleet.heard().collect();
        let silent = silences(&nodes, at(20_000), &POLICY);
        let mut census = begin(&nodes, &silent, &POLICY).unwrap();
        assert_eq!(look(&nodes, &silent, &mut census, &POLICY), None);
        assert_eq!(silent.len(), 1_000);
        // Each of the dead was there, is not any more, is silent, and then silent in no window that is left.
        assert!(census.changes <= 4 * nodes.len(), "{}", census.changes);
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
