//! Every choice is one of the best by the rules.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq};
use proptest::sample::select;
use proptest::{prop_oneof, proptest};

use super::{SPREAD, candidate};
use crate::id::NodeId;
use crate::placement::domain::LEVELS;
use crate::placement::{Candidate, CopyWanted, Domain, Exclusion, Policy, Purpose, Topology, explain};
use crate::row::{ChunkRow, Replica, ReplicaState};
use crate::units::{ByteSize, Timestamp};

fn candidates() -> impl Strategy<Value = Vec<Candidate>> {
    let unfit =
        prop_oneof![6 => Just(None), 1 => select(vec![Some(Exclusion::Inactive), Some(Exclusion::Removed)])];
    let levels = select(vec!["region", "zone", "rack", "host"]);
    let domain = btree_map(
        levels.prop_map(str::to_owned),
        select(vec!["a", "b"]).prop_map(str::to_owned),
        0..4,
    );
    let one = (
        unfit,
        domain,
        0..2_000_u64,
        0..1_000_u64,
        0..2_000_u64,
        0..=1_000_u16,
    );
    vec(one, 0..14).prop_map(|all| {
        let candidate = |(number, (unfit, domain, capacity, used, free, load))| Candidate {
            id: NodeId::from(format!("n{number}")),
            unfit,
            domain: Domain::of(&domain),
            capacity: ByteSize::new(capacity),
            used: ByteSize::new(used),
            free: ByteSize::new(free),
            load,
            is_held: false,
        };
        all.into_iter().enumerate().map(candidate).collect()
    })
}

/// How good a candidate is for the next replica of a chunk, the least being best; `None` if it is out of the question.
fn naive_rank(
    candidate: &Candidate,
    chosen: &[&Candidate],
    taken: u64,
    size: u64,
    (policy, full_at): (Policy, u64),
) -> Option<([usize; LEVELS], bool)> {
    let used = (candidate.used.get() + taken) * 1_000;
    let permille = |permille: u64| used >= candidate.capacity.get() * permille;
    let is_chosen = chosen.iter().any(|other| other.id == candidate.id);
    if candidate.unfit.is_some() || is_chosen || permille(full_at) || candidate.free.get() < taken + size {
        return None;
    }
    let mut shared = [0; LEVELS];
    if policy.geographic_spread {
        for (level, count) in shared.iter_mut().enumerate() {
            let shares = |other: &&&Candidate| other.domain.levels_shared_with(&candidate.domain) > level;
            *count = chosen.iter().filter(shares).count();
        }
    }
    Some((shared, permille(850)))
}

proptest! {
    #[test]
    fn every_choice_is_one_of_the_best_and_none_is_missed(
        candidates in candidates(),
        sizes in vec((0..300_u64).prop_map(ByteSize::new), 0..6),
        wanted in 0..5_usize,
        geographic_spread in any::<bool>(),
        promises in vec(0..400_u64, 14),
        seed in any::<u64>(),
    ) {
        let policy = Policy { geographic_spread };
        let promised: BTreeMap<NodeId, ByteSize> = candidates
            .iter()
            .zip(&promises)
            .filter(|(_, bytes)| **bytes % 3 > 0)
            .map(|(candidate, bytes)| (candidate.id.clone(), ByteSize::new(*bytes)))
            .collect();
        let plan = Topology::new(candidates.clone()).plan(&sizes, wanted, policy, seed, &promised);
        let by_id = |id: &NodeId| candidates.iter().find(|candidate| candidate.id == *id).unwrap();

        let mut taken: BTreeMap<NodeId, u64> = promised.iter().map(|(id, bytes)| (id.clone(), bytes.get())).collect();
        prop_assert_eq!(plan.targets.len(), sizes.len());
        for (targets, size) in plan.targets.iter().zip(&sizes) {
            let mut chosen: Vec<&Candidate> = Vec::new();
            let rank = |candidate: &Candidate, chosen: &[&Candidate], taken: &BTreeMap<NodeId, u64>| {
                let taken = taken.get(&candidate.id).copied().unwrap_or(0);
                naive_rank(candidate, chosen, taken, size.get(), (policy, 900))
            };
            let best = |chosen: &[&Candidate], taken: &BTreeMap<NodeId, u64>| {
                candidates.iter().filter_map(|candidate| rank(candidate, chosen, taken)).min()
            };
            for &target in targets {
                let node = by_id(&plan.nodes[target as usize]);
                let rank = rank(node, &chosen, &taken);
                prop_assert!(rank.is_some());
                prop_assert_eq!(rank, best(&chosen, &taken));
                chosen.push(node);
                *taken.entry(node.id.clone()).or_default() += size.get();
            }
            prop_assert!(targets.len() <= wanted);
            if targets.len() < wanted {
                prop_assert_eq!(best(&chosen, &taken), None, "a node was missed");
            }
        }
        let mut named = plan.nodes.clone();
        named.sort();
        named.dedup();
        prop_assert_eq!(named.len(), plan.nodes.len(), "a node is named twice");
        let after: BTreeMap<_, _> = plan.bytes(&sizes).collect();
        for (id, bytes) in after {
            let before = promised.get(id).map_or(0, |bytes| bytes.get());
            prop_assert_eq!(before + bytes.get(), taken[id]);
        }
    }

    #[test]
    fn further_copies_are_spread_away_from_those_that_stay(
        candidates in candidates(),
        kept in vec(any::<bool>(), 14),
        barred in vec(any::<bool>(), 14),
        missing in 0..4_usize,
        seed in any::<u64>(),
    ) {
        let some = |which: &[bool]| -> Vec<&Candidate> {
            let pairs = candidates.iter().zip(which);
            let wanted = pairs.filter(|(candidate, wanted)| **wanted && candidate.unfit != Some(Exclusion::Removed));
            wanted.map(|(candidate, _)| candidate).collect()
        };
        let (kept, barred) = (some(&kept), some(&barred));
        let size = ByteSize::new(10);
        let ids = |these: &[&Candidate]| these.iter().map(|candidate| candidate.id.clone()).collect::<Vec<_>>();
        let plan = |barred: Vec<NodeId>| {
            let copy = CopyWanted { size, kept: ids(&kept), barred, missing };
            let topology = Topology::new(candidates.clone());
            topology.plan_copies(&[copy], SPREAD, seed, &BTreeMap::new(), &|_| true).remove(0)
        };
        let mut chosen = kept.clone();
        for id in plan(Vec::new()) {
            let node = candidates.iter().find(|candidate| candidate.id == id).unwrap();
            let rank = |candidate: &Candidate| naive_rank(candidate, &chosen, 0, size.get(), (SPREAD, 950));
            let best = candidates.iter().filter_map(rank).min();
            prop_assert!(best.is_some());
            prop_assert_eq!(rank(node), best);
            chosen.push(node);
        }
        let targets = chosen.len() - kept.len();
        let is_there_more = candidates.iter().any(|one| naive_rank(one, &chosen, 0, size.get(), (SPREAD, 950)).is_some());
        prop_assert!(targets == missing || !is_there_more, "a node was missed");
        let taken_and_barred = plan(ids(&barred));
        let mut chosen = kept.clone();
        for id in &taken_and_barred {
            prop_assert!(!ids(&barred).contains(id));
            let node = candidates.iter().find(|candidate| candidate.id == *id).unwrap();
            let rank = |candidate: &Candidate| naive_rank(candidate, &chosen, 0, size.get(), (SPREAD, 950));
            let best = candidates.iter().filter(|one| !ids(&barred).contains(&one.id)).filter_map(rank).min();
            prop_assert!(best.is_some());
            prop_assert_eq!(rank(node), best, "what is barred does not count for the spread");
            chosen.push(node);
        }
        let free = candidates.iter().filter(|one| naive_rank(one, &kept, 0, size.get(), (SPREAD, 950)).is_some());
        let free = free.filter(|one| !ids(&barred).contains(&one.id)).count();
        prop_assert_eq!(taken_and_barred.len(), missing.min(free), "what is barred keeps nobody else from being chosen");
    }

    #[test]
    fn a_copy_is_misplaced_exactly_if_moving_it_to_a_node_that_takes_something_is_better(
        candidates in candidates(),
        holds in vec(any::<bool>(), 14),
    ) {
        let topology = Topology::new(candidates.clone());
        let takes = |candidate: &&Candidate| Topology::new([(*candidate).clone()]).has_room();
        let held: Vec<NodeId> = candidates
            .iter()
            .zip(&holds)
            .filter(|(_, holds)| **holds)
            .map(|(candidate, _)| candidate.id.clone())
            .collect();
        let can_gain = |from: &NodeId| {
            let mut free = candidates.iter().filter(takes).filter(|to| !held.contains(&to.id));
            free.any(|to| topology.is_better(&held, from, &to.id))
        };
        let misplaced = topology.misplaced(&held);
        prop_assert_eq!(misplaced.is_some(), held.iter().any(can_gain));
        prop_assert!(misplaced.is_none_or(can_gain));
    }

    #[test]
    fn the_same_seed_gives_the_same_plan(candidates in candidates(), seed in any::<u64>()) {
        let plan = |candidates: Vec<Candidate>| {
            Topology::new(candidates).plan(&[ByteSize::new(1); 4], 3, SPREAD, seed, &BTreeMap::new())
        };
        let reversed = candidates.iter().rev().cloned().collect();
        prop_assert_eq!(plan(candidates), plan(reversed), "nor does the order of the candidates matter");
    }
}

#[test]
fn sizes_of_any_magnitude_are_weighed() {
    let all = i64::MAX as u64;
    let candidates: Vec<_> = (0..5)
        .map(|number| candidate(&format!("n{number}"), all, 0, []))
        .collect();
    let plan = Topology::new(candidates).plan(&[ByteSize::new(all / 4); 5], 3, SPREAD, 12, &BTreeMap::new());
    assert!(plan.targets.iter().all(|targets| targets.len() == 3), "{plan:?}");
    let nowhere = Topology::new([]).plan(&[ByteSize::new(1)], 3, SPREAD, 12, &BTreeMap::new());
    assert_eq!((nowhere.nodes, nowhere.targets), (vec![], vec![vec![]]));
}

#[test]
fn explaining_gives_the_filters_reasons() {
    let holder = candidate("holder", 1_000, 0, []);
    let full = candidate("full", 1_000, 950, []);
    let mut silent = candidate("silent", 1_000, 0, []);
    silent.unfit = Some(Exclusion::Inactive);
    let fine = candidate("fine", 1_000, 0, []);
    let chunk = ChunkRow {
        hash: "h".into(),
        size: ByteSize::new(10),
        created_at: Timestamp::EPOCH,
        home: None,
        index: 0,
        sharers: 0,
        unreferenced_since: None,
        replicas: vec![Replica {
            node: "holder".into(),
            state: ReplicaState::Stored,
        }],
    };
    let too_full = Exclusion::TooFull {
        used_permille: 950,
        free: ByteSize::new(50),
    };
    let expected = [
        ("holder", Err(Exclusion::AlreadyHolds)),
        ("full", Err(too_full)),
        ("silent", Err(Exclusion::Inactive)),
        ("fine", Ok(())),
    ];
    let expected = expected.map(|(id, judgement)| (NodeId::from(id), judgement));
    let candidates = [holder, full, silent, fine];
    let topology = Topology::new(candidates.clone());
    let explained = explain(&chunk, &candidates, &topology, SPREAD, Purpose::New);
    assert_eq!(explained, expected);
}
