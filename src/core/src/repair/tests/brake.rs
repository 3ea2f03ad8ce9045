//! The brake comes to what its rule says, however it comes to it.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any};
use proptest::test_runner::Config;
use proptest::{prop_assert_eq, prop_oneof, proptest};

use crate::id::NodeId;
use crate::repair::{Brake, BrakePolicy, Heard, brake};
use crate::row::{Contact, NodeRow, Observed, Wanted};
use crate::units::{ByteSize, Millis, Timestamp};

const LEVELS: [&str; 3] = ["region", "zone", "rack"];
const NOW: u64 = 400;

fn at(seconds: u64) -> Timestamp {
    Timestamp::EPOCH.plus(Millis::from_seconds(seconds))
}

fn node() -> impl Strategy<Value = (NodeRow, Option<Timestamp>)> {
    let name = || option::weighted(0.8, 0..2_u32);
    let observed = prop_oneof![
        2 => Just(Observed::Active),
        3 => (0..NOW, any::<bool>(), any::<bool>()).prop_map(|(since, one, other)| Observed::Inactive {
            since: at(since),
            written_off: one && other,
        }),
    ];
    let last = option::weighted(0.9, 0..NOW);
    ((name(), name(), name()), observed, 0..NOW, last).prop_map(|(names, observed, registered, last)| {
        let names = LEVELS.into_iter().zip([names.0, names.1, names.2]);
        let capabilities: BTreeMap<String, String> = names
            .filter_map(|(level, name)| Some((level.to_owned(), name?.to_string())))
            .collect();
        let row = NodeRow {
            addresses: Vec::new(),
            capacity: ByteSize::ZERO,
            capabilities,
            registered_at: at(registered),
            wanted: Wanted::InService,
            observed,
            contact: Contact::default(),
        };
        (row, last.map(at))
    })
}

/// The widest domains with a name and more than one node of which all are silent.
fn lost_domains(before: &[Heard<'_>], silent: &BTreeSet<NodeId>) -> Vec<String> {
    let path = |node: &Heard<'_>| LEVELS.map(|level| node.row.capabilities.get(level).cloned());
    let mut lost: BTreeSet<Vec<Option<String>>> = BTreeSet::new();
    for level in 1..=LEVELS.len() {
        let paths: BTreeSet<_> = before.iter().map(|node| path(node)[..level].to_vec()).collect();
        for domain in paths {
            let mut nodes = before.iter().filter(|node| path(node)[..level] == domain[..]);
            let is_named = domain[level - 1].is_some();
            let is_in_lost = (1..level).any(|wider| lost.contains(&domain[..wider]));
            if is_named
                && !is_in_lost
                && nodes.clone().count() >= 2
                && nodes.all(|node| silent.contains(node.id))
            {
                lost.insert(domain);
            }
        }
    }
    let label = |domain: Vec<Option<String>>| {
        let level = LEVELS[domain.len() - 1];
        let name = domain.into_iter().flatten().next_back().unwrap();
        format!("{level} {name}")
    };
    lost.into_iter().map(label).collect()
}

/// The rule in its own words: each window is looked at by itself, and all nodes for each.
fn by_the_rule(nodes: &[Heard<'_>], policy: &BrakePolicy) -> Option<Brake> {
    let now = at(NOW);
    let since_of = |node: &Heard<'_>| match node.row.observed {
        Observed::Inactive { since, written_off } => Some((node.silent_since(since, policy), written_off)),
        Observed::Active => None,
    };
    let mut silent: Vec<(Timestamp, &Heard<'_>)> = nodes
        .iter()
        .filter_map(|node| Some((since_of(node).filter(|(_, written_off)| !written_off)?.0, node)))
        .collect();
    let last = silent.iter().map(|(since, _)| *since).max()?;
    if now.since(last) <= policy.window {
        let late = nodes.iter().filter(|node| node.is_late(now, policy.late_after));
        silent.extend(late.map(|node| (now, node)));
    }
    silent.sort_by_key(|(since, node)| (*since, node.id));
    let mut seen = 0;
    for begin in 0..silent.len() {
        let began = silent[begin].0;
        let is_in = |(since, _): &&(Timestamp, &Heard<'_>)| since.since(began) <= policy.window;
        let together: BTreeSet<NodeId> = silent[begin..]
            .iter()
            .take_while(is_in)
            .map(|(_, node)| node.id.clone())
            .collect();
        let is_part = begin + together.len() == seen;
        seen = begin + together.len();
        if together.len() < 2 || is_part {
            continue;
        }
        let was_there = |node: &&Heard<'_>| {
            since_of(node).map_or(node.row.registered_at <= began, |(since, _)| since >= began)
        };
        let before: Vec<Heard<'_>> = nodes.iter().filter(was_there).copied().collect();
        let domains = if together.len() >= 4 {
            lost_domains(&before, &together)
        } else {
            Vec::new()
        };
        let is_too_many = together.len() as u64 * 1_000 > policy.ratio_permille * before.len() as u64;
        if is_too_many || domains.len() >= 2 {
            return Some(Brake {
                since: began,
                silent: together,
                of: before.len(),
                domains,
            });
        }
    }
    None
}

proptest! {
    #![proptest_config(Config { cases: 2_000, failure_persistence: None, ..Config::default() })]

    #[test]
    fn the_brake_is_what_its_rule_says(
        rows in vec(node(), 0..24), ratio_permille in 0..1_000_u64, window in 0..120_u64,
    ) {
        let policy = BrakePolicy {
            ratio_permille,
            window: Millis::from_seconds(window),
            late_after: Millis::from_seconds(45),
        };
        let rows: Vec<_> = (0..).zip(rows).map(|(id, node)| (NodeId::from(format!("n{id:02}")), node)).collect();
        let nodes: Vec<Heard<'_>> = rows
            .iter()
            .map(|(id, (row, last))| Heard { id, row, last: *last })
            .collect();
        let found = brake(nodes.iter().copied(), at(NOW), &policy);
        prop_assert_eq!(found, by_the_rule(&nodes, &policy));
    }
}
