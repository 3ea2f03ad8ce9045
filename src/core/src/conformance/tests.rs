use std::collections::BTreeSet;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngSeed, TestRunner};

use super::runner::run_with;
use super::{Subject, run, sequences};
use crate::effects::Mutation;
use crate::envelope::Envelope;
use crate::event::{Change, TaskChanged};
use crate::model::Model;
use crate::rejection::Rejection;
use crate::response::Response;
use crate::row::{NodeStatus, Row};
use crate::store::RowStore;
use crate::totals::Totals;
use crate::units::AppliedIndex;
use crate::view::{ReadSet, View};

#[test]
fn the_model_keeps_every_invariant() {
    run(Model::default).unwrap();
}

/// What a variant is called, from how it is shown.
fn variant(outcome: &impl std::fmt::Debug) -> String {
    let shown = format!("{outcome:?}");
    let end = shown.find([' ', '{']).unwrap_or(shown.len());
    shown[..end].to_owned()
}

#[test]
fn the_sequences_lead_to_every_answer_and_every_refusal() {
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for _ in 0..1_000 {
        let sequence = sequences().new_tree(&mut runner).unwrap().current();
        let mut model = Model::default();
        for (index, envelope) in sequence.steps() {
            seen.insert(match model.apply(envelope, index) {
                // A release with more than a page left is worth a mention of its own.
                Ok(Response::ChunksReleased { left }) if left > 0 => "SomeChunksReleased".to_owned(),
                // So is a command about tasks and copies that found none: then it was not tried.
                Ok(
                    Response::TasksStarted { started: 0 }
                    | Response::CopiesDeleted { started: 0, .. }
                    | Response::TasksRenewed { renewed: 0 }
                    | Response::TasksAbandoned { abandoned: 0 }
                    | Response::ReplicasForgotten { forgotten: 0 }
                    | Response::CopiesTrimmed { trimmed: 0 }
                    | Response::NodesWrittenOff { nodes: 0 },
                ) => "NothingToDo".to_owned(),
                // Each of these has more than one outcome.
                Ok(Response::DrainsFinished { drained, removed }) => {
                    seen.extend((!drained.is_empty()).then(|| "Drained".to_owned()));
                    seen.extend((!removed.is_empty()).then(|| "Decommissioned".to_owned()));
                    continue;
                }
                Ok(Response::InventoryRecorded {
                    found,
                    missing,
                    quarantined,
                }) => {
                    let outcomes = [
                        ("Found", found),
                        ("Missing", missing),
                        ("Quarantined", quarantined),
                    ];
                    let had = outcomes.into_iter().filter(|(_, count)| *count > 0);
                    seen.extend(had.map(|(name, _)| name.to_owned()));
                    continue;
                }
                Ok(response) => variant(&response),
                Err(rejection) => variant(&rejection),
            });
        }
    }
    let expected = [
        "ChunkBeingDeleted",
        "ChunkConflict",
        "ChunkLocationsUpdated",
        "ChunkNotFound",
        "ChunksReleased",
        "CopiesDeleted",
        "CopiesTrimmed",
        "CopyBeingDeleted",
        "Decommissioned",
        "Drained",
        "DuplicateChunk",
        "FileDeleted",
        "FileNotFound",
        "FileRegistered",
        "Forgotten",
        "Found",
        "HeartbeatsRecorded",
        "IdempotencyKeyReused",
        "Missing",
        "NoRoom",
        "NodeDrained",
        "NodeNotFound",
        "NodeRegistered",
        "NodeRemoved",
        "NodeStateSet",
        "NodeUnregistered",
        "NodesExpired",
        "NodesWrittenOff",
        "NotDraining",
        "NothingToDo",
        "PlacementStale",
        "Quarantined",
        "ReleaseFinished",
        "ReplicasForgotten",
        "SomeChunksReleased",
        "TasksAbandoned",
        "TasksRenewed",
        "TasksStarted",
        "TooManyReplicas",
    ];
    assert_eq!(seen, expected.map(str::to_owned).into());
}

/// A way in which a store may go wrong.
#[derive(Clone, Copy)]
enum Fault {
    ForgetsIdempotency,
    KeepsDeletedSharers,
    LosesTheTimeOfRefusedCommands,
    MiscountsNodes,
    DropsBeats,
    LoadsAnotherSharer,
    TellsOfNoDeletedTask,
}

/// A store with a fault.
struct Faulty {
    model: Model,
    fault: Fault,
}

impl Subject for Faulty {
    fn apply(&mut self, envelope: &Envelope, index: AppliedIndex) -> Result<Response, Rejection> {
        let mut envelope = envelope.clone();
        if matches!(self.fault, Fault::ForgetsIdempotency) {
            envelope.proposal.idempotency = None;
        }
        let before = self.model.clone();
        let effects = self.model.decide(&envelope, index);
        let outcome = self.model.apply(&envelope, index);
        match (self.fault, effects) {
            (Fault::KeepsDeletedSharers, Ok(effects)) => {
                for mutation in effects.mutations {
                    if let Mutation::DeleteSharer(chunk, file) = mutation {
                        self.model.write(&[Mutation::PutSharer(chunk, file, 0)]).unwrap();
                    }
                }
            }
            (Fault::LosesTheTimeOfRefusedCommands, Err(_)) => self.model = before,
            _ => {}
        }
        outcome
    }

    fn rows(&self) -> Vec<Row> {
        let mut rows = self.model.rows();
        if matches!(self.fault, Fault::DropsBeats) {
            rows.retain(|row| !matches!(row, Row::Beat(..)));
        }
        rows
    }

    fn totals(&self) -> Totals {
        let mut totals = *self.model.totals();
        if matches!(self.fault, Fault::MiscountsNodes) && totals.nodes_with(NodeStatus::Draining) > 0 {
            totals.files += 1;
        }
        totals
    }

    fn changes(&self) -> Vec<Change> {
        let mut changes = self.model.changes().to_vec();
        if matches!(self.fault, Fault::TellsOfNoDeletedTask) {
            changes.retain(|change| !matches!(change, Change::Task(_, _, TaskChanged::Ended { .. })));
        }
        changes
    }

    fn view(&self, reads: &ReadSet) -> Option<View> {
        let mut view = self.model.view(reads);
        if matches!(self.fault, Fault::LoadsAnotherSharer) {
            view.sharers.pop_first();
        }
        Some(view)
    }
}

#[test]
fn a_store_that_goes_wrong_is_found_out() {
    for (fault, complaint) in [
        (Fault::ForgetsIdempotency, "rather than"),
        (Fault::KeepsDeletedSharers, "rather than"),
        (Fault::LosesTheTimeOfRefusedCommands, "rather than"),
        (Fault::MiscountsNodes, "totals are"),
        (Fault::DropsBeats, "of the dump is"),
        (Fault::LoadsAnotherSharer, "loaded"),
        (Fault::TellsOfNoDeletedTask, "told of"),
    ] {
        let config = Config {
            failure_persistence: None,
            max_shrink_iters: 0,
            ..Config::default()
        };
        let faulty = || Faulty {
            model: Model::default(),
            fault,
        };
        let failure = run_with(config, faulty).unwrap_err().to_string();
        assert!(failure.contains(complaint), "{failure}");
        assert!(failure.contains("PROPTEST_RNG_SEED="), "{failure}");
    }
}

#[test]
fn a_seed_brings_a_failure_back() {
    let fail = || {
        let config = Config {
            failure_persistence: None,
            max_shrink_iters: 500,
            rng_seed: RngSeed::Fixed(3),
            ..Config::default()
        };
        let fault = Fault::KeepsDeletedSharers;
        let faulty = || Faulty {
            model: Model::default(),
            fault,
        };
        run_with(config, faulty).unwrap_err().to_string()
    };
    assert_eq!(fail(), fail());
}
