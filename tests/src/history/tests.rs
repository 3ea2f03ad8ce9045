//! The judges judged: what a register does they accept, and what it never does they refuse.

use std::time::Duration;

use rand::rngs::SmallRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};

use super::{Contradiction, Effect, MOST_OPERATIONS, NoOrder, Operation, Place, Value, check_order, search};

const ONE: Value = Value(1);
const TWO: Value = Value(2);

/// An operation from one second to another.
fn during(called: u64, returned: u64, effect: Effect, place: Place) -> Operation {
    Operation {
        key: "k".to_owned(),
        client: "client".to_owned(),
        effect,
        place,
        called: Duration::from_secs(called),
        returned: Duration::from_secs(returned),
    }
}

/// An operation that was answered at an index, from one second to another.
fn at(index: u64, called: u64, returned: u64, effect: Effect) -> Operation {
    during(called, returned, effect, Place::At(index))
}

/// An operation without an answer.
fn lost(called: u64, effect: Effect) -> Operation {
    during(called, called + 1, effect, Place::Unknown)
}

fn wrote(value: Value) -> Effect {
    Effect::Wrote(value)
}

fn saw(value: Value) -> Effect {
    Effect::Read(Some(value))
}

const NOTHING: Effect = Effect::Read(None);

fn assert_accepted(history: &[Operation]) {
    if let Err(error) = check_order(history) {
        panic!("{error}");
    }
    if let Err(error) = search(history) {
        panic!("{error}");
    }
}

fn assert_refused(history: &[Operation]) {
    let error = check_order(history).expect_err("the indexes are accepted");
    assert!(!matches!(error, Contradiction::NoIndex(_)), "{error}");
    let error = search(history).expect_err("an order is found");
    assert!(matches!(error, NoOrder::Impossible { .. }), "{error}");
}

#[test]
fn what_a_register_does_is_accepted() {
    assert_accepted(&[]);
    assert_accepted(&[
        at(1, 0, 1, NOTHING),
        at(2, 0, 9, wrote(ONE)),
        at(2, 3, 4, saw(ONE)),
        at(3, 5, 6, Effect::Deleted),
        at(3, 7, 8, NOTHING),
        at(4, 7, 9, Effect::FoundNothing),
        at(5, 10, 11, wrote(TWO)),
    ]);
}

#[test]
fn a_stale_read_is_refused() {
    assert_refused(&[
        at(1, 0, 1, wrote(ONE)),
        at(2, 2, 3, wrote(TWO)),
        at(1, 4, 5, saw(ONE)),
    ]);
    // While the write runs, one client has seen it, and another sees the old value after that.
    assert_refused(&[
        at(1, 0, 1, wrote(ONE)),
        at(2, 2, 9, wrote(TWO)),
        at(2, 3, 4, saw(TWO)),
        at(1, 5, 6, saw(ONE)),
    ]);
}

#[test]
fn a_stale_read_that_lies_about_its_index_is_refused() {
    assert_refused(&[
        at(1, 0, 1, wrote(ONE)),
        at(2, 2, 3, wrote(TWO)),
        at(2, 4, 5, saw(ONE)),
    ]);
}

#[test]
fn a_lost_write_is_refused() {
    assert_refused(&[at(1, 0, 1, wrote(ONE)), at(5, 2, 3, NOTHING)]);
    assert_refused(&[
        at(1, 0, 1, wrote(ONE)),
        at(2, 2, 3, wrote(TWO)),
        at(5, 4, 5, saw(ONE)),
    ]);
    assert_refused(&[at(1, 0, 1, wrote(ONE)), at(5, 2, 3, Effect::FoundNothing)]);
    // An acknowledged repetition counts as much as a first attempt.
    assert_refused(&[during(0, 1, wrote(ONE), Place::UpTo(4)), at(5, 2, 3, NOTHING)]);
}

#[test]
fn a_write_that_takes_effect_twice_is_refused() {
    let twice = |first: Operation| {
        vec![
            first,
            at(2, 2, 3, saw(ONE)),
            at(3, 4, 5, wrote(TWO)),
            at(3, 6, 7, saw(TWO)),
            at(9, 8, 9, saw(ONE)),
        ]
    };
    assert_refused(&twice(at(1, 0, 1, wrote(ONE))));
    assert_refused(&twice(during(0, 9, wrote(ONE), Place::UpTo(10))));
    assert_refused(&twice(lost(0, Effect::MayHaveWritten(ONE))));
}

#[test]
fn a_deletion_that_takes_effect_twice_or_never_is_refused() {
    assert_refused(&[
        at(1, 0, 1, wrote(ONE)),
        lost(2, Effect::MayHaveDeleted),
        at(2, 4, 5, NOTHING),
        at(3, 6, 7, wrote(TWO)),
        at(4, 8, 9, NOTHING),
    ]);
    assert_refused(&[
        at(1, 0, 1, wrote(ONE)),
        at(2, 2, 3, Effect::Deleted),
        at(3, 4, 5, saw(ONE)),
    ]);
    assert_refused(&[at(1, 0, 1, Effect::Deleted)]);
}

#[test]
fn what_surely_failed_or_was_not_asked_yet_must_not_be_seen() {
    // A write that was refused is not in the history.
    assert_refused(&[at(1, 0, 1, saw(ONE))]);
    assert_refused(&[at(1, 0, 1, saw(ONE)), lost(2, Effect::MayHaveWritten(ONE))]);
    assert_refused(&[at(1, 0, 1, saw(ONE)), at(2, 2, 3, wrote(ONE))]);
}

#[test]
fn a_lost_answer_leaves_open_whether_and_when() {
    let lost = lost(2, Effect::MayHaveWritten(TWO));
    for later in [
        vec![at(9, 8, 9, saw(TWO))],
        vec![at(9, 8, 9, saw(ONE))],
        vec![at(7, 6, 7, saw(ONE)), at(9, 8, 9, saw(TWO))],
        vec![at(9, 8, 9, Effect::Deleted)],
    ] {
        let mut history = vec![at(1, 0, 1, wrote(ONE)), lost.clone()];
        history.extend(later);
        assert_accepted(&history);
    }
    // Only the write without an answer can be what was deleted.
    assert_accepted(&[lost, at(9, 8, 9, Effect::Deleted)]);
}

#[test]
fn an_answered_repetition_took_effect_once_somewhere_before() {
    let repeated = during(0, 7, wrote(ONE), Place::UpTo(6));
    assert_accepted(&[
        repeated.clone(),
        at(3, 2, 3, saw(ONE)),
        at(4, 4, 5, wrote(TWO)),
        at(7, 8, 9, saw(TWO)),
    ]);
    assert_accepted(&[repeated.clone(), at(4, 4, 5, wrote(TWO)), at(7, 8, 9, saw(TWO))]);
    assert_accepted(&[repeated, at(4, 4, 5, wrote(TWO)), at(7, 8, 9, saw(ONE))]);
}

#[test]
fn only_the_indexes_tell_what_answers_alone_do_not() {
    let same_index = [at(1, 0, 9, wrote(ONE)), at(1, 0, 9, wrote(TWO))];
    let error = check_order(&same_index).unwrap_err();
    assert!(matches!(error, Contradiction::SameIndex(..)), "{error}");
    // The state is right, and the index is one that was shown before.
    let back = [at(5, 0, 1, NOTHING), at(4, 2, 3, NOTHING)];
    let error = check_order(&back).unwrap_err();
    assert!(matches!(error, Contradiction::BackInTime(..)), "{error}");
    let reused = [at(5, 0, 1, NOTHING), at(5, 2, 3, wrote(ONE))];
    let error = check_order(&reused).unwrap_err();
    assert!(matches!(error, Contradiction::BackInTime(..)), "{error}");
    let nowhere = [during(0, 1, NOTHING, Place::Unknown)];
    let error = check_order(&nowhere).unwrap_err();
    assert!(matches!(error, Contradiction::NoIndex(_)), "{error}");
}

#[test]
fn a_replicas_own_state_may_be_old_and_must_be_one_there_was() {
    let looked = |value| Effect::Looked(Some(value));
    let history = [
        at(1, 0, 1, wrote(ONE)),
        at(4, 2, 3, wrote(TWO)),
        at(3, 4, 5, looked(ONE)),
    ];
    assert_accepted(&history);
    let error = check_order(&[
        at(1, 0, 1, wrote(ONE)),
        at(4, 2, 3, wrote(TWO)),
        at(4, 4, 5, looked(ONE)),
    ]);
    assert!(
        matches!(error, Err(Contradiction::WrongState { .. })),
        "{error:?}"
    );
    // Whoever asks after that must know as much.
    let error = check_order(&[at(3, 0, 1, Effect::Looked(None)), at(2, 2, 3, NOTHING)]);
    assert!(matches!(error, Err(Contradiction::BackInTime(..))), "{error:?}");
}

#[test]
fn registers_are_apart_and_time_is_one() {
    let mut other = at(2, 2, 3, NOTHING);
    other.key = "other".to_owned();
    assert_accepted(&[at(1, 0, 1, wrote(ONE)), other.clone()]);
    other.place = Place::At(0);
    let error = check_order(&[at(1, 0, 1, wrote(ONE)), other]).unwrap_err();
    assert!(matches!(error, Contradiction::BackInTime(..)), "{error}");
}

#[test]
fn too_much_for_a_search_is_no_verdict() {
    let reads: Vec<_> = (0..=MOST_OPERATIONS as u64)
        .map(|number| at(number, number, number, NOTHING))
        .collect();
    let error = search(&reads).unwrap_err();
    assert!(matches!(error, NoOrder::TooLong { .. }), "{error}");
}

/// A history of a real register: operations that overlap, each with its effect at a moment of its own, some with a lost
/// answer or an answered repetition. Moments double as indexes.
fn real_history(random: &mut SmallRng, length: u64, clients: u64) -> Vec<Operation> {
    let mut history = Vec::new();
    let mut state = None;
    for moment in 1..=length {
        let moment = moment * 10;
        let spread = random.random_range(1..=10 * clients);
        let (called, returned) = (
            moment.saturating_sub(spread),
            moment + random.random_range(1..=10 * clients),
        );
        let (is_lost, happens) = (random.random_bool(0.1), random.random_bool(0.5));
        let new = Value(moment);
        let (effect, next) = match random.random_range(0..10) {
            0..5 => (Effect::Read(state), state),
            5..8 if is_lost => (Effect::MayHaveWritten(new), Some(new)),
            5..8 => (Effect::Wrote(new), Some(new)),
            _ if is_lost => (Effect::MayHaveDeleted, None),
            _ if state.is_some() => (Effect::Deleted, None),
            _ => (Effect::FoundNothing, None),
        };
        let place = match effect {
            Effect::MayHaveWritten(_) | Effect::MayHaveDeleted => Place::Unknown,
            Effect::Wrote(_) | Effect::Deleted if random.random_bool(0.2) => Place::UpTo(moment + 1),
            _ => Place::At(moment),
        };
        let operation = Operation {
            called: Duration::from_millis(called),
            returned: Duration::from_millis(returned),
            ..during(0, 0, effect, place)
        };
        history.push(operation);
        if effect.is_answered() || happens {
            state = next;
        }
    }
    history
}

#[test]
fn histories_of_a_real_register_are_accepted() {
    for seed in 0..60 {
        let mut random = SmallRng::seed_from_u64(seed);
        let clients = 1 + seed % 8;
        let history = real_history(&mut random, MOST_OPERATIONS as u64, clients);
        if let Err(error) = check_order(&history) {
            panic!("seed {seed}: {error}");
        }
        if let Err(error) = search(&history) {
            panic!("seed {seed}: {error}");
        }
    }
}

/// Whether any order of the operations at all explains them: every order is tried.
fn has_any_order(left: &[Operation], state: Option<Value>) -> bool {
    if left.iter().all(|operation| !operation.effect.is_answered()) {
        return true;
    }
    (0..left.len()).any(|number| {
        let operation = &left[number];
        if left.iter().any(|other| other.is_before(operation)) {
            return false;
        }
        let next = match (operation.effect, state) {
            (Effect::Wrote(value) | Effect::MayHaveWritten(value), _) => Some(value),
            (Effect::Deleted, Some(_)) | (Effect::MayHaveDeleted, _) | (Effect::FoundNothing, None) => None,
            (Effect::Read(seen), _) if seen == state => state,
            _ => return false,
        };
        let mut rest = left.to_vec();
        rest.remove(number);
        has_any_order(&rest, next)
    })
}

#[test]
fn the_search_finds_an_order_exactly_where_there_is_one() {
    let (mut possible, mut impossible) = (0, 0);
    for seed in 0..3_000 {
        let mut random = SmallRng::seed_from_u64(seed);
        let mut history = real_history(&mut random, 7, 3);
        // What was seen is made up.
        let values: Vec<_> = (1..=7)
            .map(|moment| Some(Value(moment * 10)))
            .chain([None])
            .collect();
        for operation in &mut history {
            if matches!(operation.effect, Effect::Read(_)) && random.random_bool(0.4) {
                operation.effect = Effect::Read(*values.choose(&mut random).unwrap());
            }
        }
        let expected = has_any_order(&history, None);
        *(if expected { &mut possible } else { &mut impossible }) += 1;
        let found = search(&history);
        assert_eq!(found.is_ok(), expected, "seed {seed}: {found:?}\n{history:#?}");
        // What the indexes allow is an order, so there must be one.
        if check_order(&history).is_ok() {
            assert!(expected, "seed {seed}: the indexes are accepted\n{history:#?}");
        }
    }
    assert!(possible > 300 && impossible > 300, "{possible} and {impossible}");
}
