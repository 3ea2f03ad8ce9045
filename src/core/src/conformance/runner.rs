//! Runs sequences on the model and on a store, side by side.

use std::collections::BTreeSet;
use std::fmt;

use proptest::prelude::any;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestError, TestRunner};

use super::sequence::{Brief, Sequence, sequences};
use super::subject::Subject;
use super::{changes, invariants, kept_copies, universe};
use crate::effects::Mutation;
use crate::envelope::Envelope;
use crate::model::Model;
use crate::row::Row;
use crate::totals::Totals;
use crate::units::{AppliedIndex, Timestamp};

/// After so many commands the rows of both are compared; answers are compared after each.
const COMPARE_ROWS_EVERY: u64 = 8;

/// How long and how often a failing sequence is shrunk.
const SHRINK_MILLIS: u32 = 30_000;
const SHRINK_TRIES: u32 = 20_000;

/// What differed or did not hold, with the commands that led to it.
pub struct Failure(String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// A test that unwraps shows this, and the text has line breaks that would be lost in quotes.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

/// Runs random sequences, each on a store that `subject` makes new and empty.
///
/// # Errors
/// The shortest failing sequence that was found, with the seed that finds it again.
pub fn run<S: Subject>(subject: impl Fn() -> S) -> Result<(), Failure> {
    let mut config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    // Shrinking ends for lack of time rather than of tries, unless the environment says otherwise.
    if config.max_shrink_iters == u32::MAX && config.max_shrink_time == 0 {
        config.max_shrink_iters = SHRINK_TRIES;
        config.max_shrink_time = SHRINK_MILLIS;
    }
    run_with(config, subject)
}

pub(super) fn run_with<S: Subject>(config: Config, subject: impl Fn() -> S) -> Result<(), Failure> {
    let seed = match config.rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => any::<u64>()
            .new_tree(&mut TestRunner::new(config.clone()))
            .map_err(|reason| Failure(format!("no seed: {reason}")))?
            .current(),
    };
    let cases = config.cases;
    let mut runner = TestRunner::new(Config {
        rng_seed: RngSeed::Fixed(seed),
        ..config
    });
    let outcome = runner.run(&sequences(), |sequence| {
        check(&mut subject(), &sequence).map_err(|failure| TestCaseError::fail(failure.0))
    });
    outcome.map_err(|error| match error {
        TestError::Fail(reason, sequence) => Failure(format!(
            "{reason}\nin the sequence\n{sequence:?}PROPTEST_CASES={cases} PROPTEST_RNG_SEED={seed} brings it back"
        )),
        TestError::Abort(reason) => Failure(format!("gave up: {reason}")),
    })
}

/// Runs one sequence on the model and on a store that is empty.
///
/// # Errors
/// The first command after which something differed or did not hold.
pub fn check(subject: &mut impl Subject, sequence: &Sequence) -> Result<(), Failure> {
    let mut pair = Pair {
        model: Model::default(),
        rows: Vec::new(),
        subject,
    };
    for (index, envelope) in sequence.steps() {
        pair.step(envelope, index)
            .map_err(|what| Failure(format!("{index:?} {}: {what}", Brief(envelope))))?;
    }
    pair.compare_rows()
        .map_err(|what| Failure(format!("at the end: {what}")))
}

/// The model, the rows that it had last, and the store beside it.
struct Pair<'a, S> {
    model: Model,
    rows: Vec<Row>,
    subject: &'a mut S,
}

impl<S: Subject> Pair<'_, S> {
    fn step(&mut self, envelope: &Envelope, index: AppliedIndex) -> Result<(), String> {
        if !self.subject.can_hold(envelope) {
            return Ok(());
        }
        self.compare_views(std::slice::from_ref(&envelope.proposal.reads()))?;
        if let Ok(effects) = self.model.decide(envelope, index) {
            each_row_has_one_mutation(&effects.mutations)?;
        }
        let last = self.model.now();
        let expected = self.model.apply(envelope, index);
        self.model_holds(last, envelope, expected.is_err())?;
        let answer = self.subject.apply(envelope, index);
        if answer != expected {
            return Err(format!("answered {answer:?}\nrather than {expected:?}"));
        }
        let told = changes::in_order_of_ids(self.subject.changes());
        let expected = changes::in_order_of_ids(self.model.changes().to_vec());
        if told != expected {
            return Err(format!("told of {told:?}\nrather than {expected:?}"));
        }
        if index.get().is_multiple_of(COMPARE_ROWS_EVERY) {
            self.compare_rows()?;
        }
        Ok(())
    }

    /// Checks the model after a command. `last` is the time of the one before.
    fn model_holds(&mut self, last: Timestamp, envelope: &Envelope, refused: bool) -> Result<(), String> {
        if self.model.now() < last {
            return Err(format!("time ran back from {last:?} to {:?}", self.model.now()));
        }
        let rows = self.model.rows();
        if refused && rows != self.rows {
            return Err("it was refused and changed something".to_owned());
        }
        invariants::check(&rows)?;
        kept_copies::check(&self.rows, &rows, &envelope.proposal.command)?;
        invariants::check_times(&rows, self.model.now())?;
        let recount = recount(&rows);
        if recount != *self.model.totals() {
            return Err(format!(
                "totals are {:?} and a recount {recount:?}",
                self.model.totals()
            ));
        }
        let (told, seen) = (
            changes::in_order_of_ids(self.model.changes().to_vec()),
            changes::between(&self.rows, &rows),
        );
        if told != seen {
            return Err(format!("told of {told:?}\nand changed {seen:?}"));
        }
        self.rows = rows;
        Ok(())
    }

    fn compare_rows(&self) -> Result<(), String> {
        let rows = self.subject.rows();
        if let Some(at) = (0..rows.len().max(self.rows.len())).find(|&at| rows.get(at) != self.rows.get(at)) {
            let (has, should) = (rows.get(at), self.rows.get(at));
            return Err(format!("row {at} of the dump is {has:?}\nrather than {should:?}"));
        }
        let (has, should) = (self.subject.totals(), self.model.totals());
        if has != *should {
            return Err(format!("totals are {has:?}\nrather than {should:?}"));
        }
        self.compare_views(&universe::questions())
    }

    fn compare_views(&self, questions: &[crate::view::ReadSet]) -> Result<(), String> {
        for reads in questions {
            let Some(view) = self.subject.view(reads) else {
                return Ok(());
            };
            let expected = self.model.view(reads);
            if view != expected {
                return Err(format!("{reads:?}\nloaded {view:?}\nrather than {expected:?}"));
            }
        }
        Ok(())
    }
}

fn recount(rows: &[Row]) -> Totals {
    let mut totals = Totals::default();
    rows.iter().for_each(|row| totals.count(row));
    totals
}

/// A store may write what a decision came to in any order, so no row may be named twice.
fn each_row_has_one_mutation(mutations: &[Mutation]) -> Result<(), String> {
    let mut keys = BTreeSet::new();
    for mutation in mutations {
        let key = match mutation {
            Mutation::PutNode(id, _) => ("node", id.to_string(), String::new()),
            Mutation::PutBeat(id, _) => ("beat", id.to_string(), String::new()),
            Mutation::PutFile(id, _) | Mutation::DeleteFile(id) => ("file", id.to_string(), String::new()),
            Mutation::PutChunk(id, _) | Mutation::DeleteChunk(id) => ("chunk", id.to_string(), String::new()),
            Mutation::PutSharer(chunk, file, _) | Mutation::DeleteSharer(chunk, file) => {
                ("sharer", chunk.to_string(), file.to_string())
            }
            Mutation::PutRelease(id, _) | Mutation::DeleteRelease(id) => {
                ("release", id.to_string(), String::new())
            }
            Mutation::PutRequest(key, _) | Mutation::DeleteRequest(key) => {
                ("request", key.clone(), String::new())
            }
            Mutation::PutTask(node, chunk, _) | Mutation::DeleteTask(node, chunk) => {
                ("task", node.to_string(), chunk.to_string())
            }
        };
        if !keys.insert(key) {
            return Err(format!("two mutations of one row, the second {mutation:?}"));
        }
    }
    Ok(())
}
