//! The planners together with the rules, over random topologies and failures: nodes that hold real copies live and die,
//! are drained, return; files come and go; leaders change. After every step the invariants hold, and in the end every
//! chunk is whole.

mod brake;
mod fleet;
mod invariants;

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any};
use proptest::test_runner::Config;
use proptest::{prop_oneof, proptest};

use fleet::{Fleet, Shape};

/// Something that happens to the fleet.
#[derive(Debug, Clone)]
enum Step {
    /// A file of so many chunks is registered, and brought to its nodes or not.
    NewFile {
        chunks: usize,
        brought: bool,
    },
    DeleteFile(usize),
    /// A node falls silent; its disk is well.
    Die(usize),
    /// A silent node is heard again.
    Return(usize),
    /// A silent node registers again, with an empty disk, and says so in its inventory.
    ReturnEmpty(usize),
    /// More than half of the nodes fall silent together.
    MassFailure,
    Drain(usize),
    Activate(usize),
    Unregister(usize),
    /// Another replica leads: what the leader remembered is gone.
    NewLeader,
    /// A new, empty node.
    NewNode,
    /// So many seconds pass.
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let node = || 0..12_usize;
    let step = prop_oneof![
        4 => (1..5_usize, prop_oneof![4 => Just(true), 1 => Just(false)])
            .prop_map(|(chunks, brought)| Step::NewFile { chunks, brought }),
        1 => (0..6_usize).prop_map(Step::DeleteFile),
        3 => node().prop_map(Step::Die),
        2 => node().prop_map(Step::Return),
        1 => node().prop_map(Step::ReturnEmpty),
        1 => Just(Step::MassFailure),
        1 => node().prop_map(Step::Drain),
        1 => node().prop_map(Step::Activate),
        1 => node().prop_map(Step::Unregister),
        1 => Just(Step::NewLeader),
        1 => Just(Step::NewNode),
        6 => (1..2_000_u64).prop_map(Step::Pass),
    ];
    vec(step, 1..30)
}

fn shape() -> impl Strategy<Value = Shape> {
    (4..10_usize, 1..4_usize, 1..3_usize, 1..4_usize, any::<u64>()).prop_map(
        |(nodes, zones, racks, wanted, seed)| Shape {
            nodes,
            zones,
            racks,
            wanted,
            seed,
        },
    )
}

proptest! {
    #![proptest_config(Config { cases: 96, failure_persistence: None, ..Config::default() })]

    #[test]
    fn nothing_is_lost_that_can_be_kept_and_all_is_whole_in_the_end(shape in shape(), steps in steps()) {
        let mut fleet = Fleet::new(shape);
        for step in steps {
            match step {
                Step::NewFile { chunks, brought } => fleet.new_file(chunks, brought),
                Step::DeleteFile(pick) => fleet.delete_file(pick),
                Step::Die(node) => fleet.die(node),
                Step::Return(node) => fleet.come_back(node, false),
                Step::ReturnEmpty(node) => fleet.come_back(node, true),
                Step::MassFailure => fleet.mass_failure(),
                Step::Drain(node) => fleet.drain(node),
                Step::Activate(node) => fleet.activate(node),
                Step::Unregister(node) => fleet.unregister(node),
                Step::NewLeader => fleet.new_leader(),
                Step::NewNode => fleet.new_node(),
                Step::Pass(seconds) => fleet.pass(seconds),
            }
            fleet.work();
            fleet.check_always();
        }
        fleet.heal();
        fleet.check_whole();
    }
}

#[test]
fn a_chunk_whose_only_copy_is_on_a_silent_node_is_no_unconfirmed_one() {
    let mut fleet = Fleet::new(Shape {
        nodes: 4,
        zones: 1,
        racks: 1,
        wanted: 1,
        seed: 1,
    });
    fleet.new_file(1, true);
    let holder = fleet
        .machines
        .values()
        .position(|machine| !machine.disk.is_empty());
    fleet.die(holder.unwrap());
    fleet.pass(400);
    assert_eq!((fleet.tally.without_source, fleet.tally.unconfirmed), (1, 0));
    fleet.new_file(1, false);
    fleet.pass(10);
    assert_eq!((fleet.tally.without_source, fleet.tally.unconfirmed), (1, 1));
}

#[test]
fn a_chunk_that_a_resting_node_holds_waits_for_it_and_counts_as_waiting() {
    let mut fleet = Fleet::new(Shape {
        nodes: 4,
        zones: 1,
        racks: 1,
        wanted: 3,
        seed: 1,
    });
    fleet.new_file(1, true);
    fleet.work();
    let holder = fleet
        .machines
        .values()
        .position(|machine| !machine.disk.is_empty())
        .unwrap();
    fleet.maintain(holder, 4_000);
    fleet.die(holder);
    fleet.pass(400);
    assert_eq!(fleet.tally.by_copies, [(2, 1)].into());
    assert_eq!(fleet.tally.awaiting_nodes, 1, "{:?}", fleet.tally);
    assert!(fleet.tally.has_lack());
}
