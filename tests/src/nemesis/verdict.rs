//! The end of a run: every replica holds what was acknowledged, and the history is that of registers.

use std::collections::BTreeSet;

use super::registers::{path, seen};
use super::traffic::Traffic;
use crate::cluster::TestCluster;
use crate::history::{Effect, Operation, Ordered, Place, check_order, search};

/// Who reads at the end, in the history.
const JUDGE: &str = "judge";

/// What asks a replica for its own state.
const LOCAL: &str = "?consistency=local";

/// Fewer operations than that are no traffic.
const LEAST: usize = 100;

/// Judges a run whose faults are over and whose clients have stopped.
///
/// # Panics
/// If anything is not as it must be. The history is kept then, beside the logs.
#[allow(clippy::panic, reason = "a run that fails is a failed test")]
pub(super) async fn reach(cluster: &TestCluster, traffic: &Traffic) -> Ordered {
    let rows = cluster.until_same_rows().await;
    read_everything(cluster, traffic).await;
    let history = traffic.recorder().operations();
    let lines: Vec<_> = history.iter().map(Operation::to_string).collect();
    cluster.note("history.txt", &lines.join("\n"));
    let surprises = traffic.surprises();
    assert!(
        surprises.is_empty(),
        "answers that should not be:\n{}",
        surprises.join("\n")
    );
    let judged = check_order(&history).unwrap_or_else(|contradiction| panic!("{contradiction}"));
    search(&history).unwrap_or_else(|no_order| panic!("{no_order}"));
    let Ordered { commands, reads } = judged;
    assert!(
        commands >= LEAST && reads >= LEAST,
        "{commands} commands and {reads} reads are no traffic"
    );
    assert!(rows.count > 0, "there are no rows");
    judged
}

/// Reads every register at every replica: as it is, and in the replica's own state. Both belong to the history, so that a
/// write that was acknowledged and is not there contradicts it.
async fn read_everything(cluster: &TestCluster, traffic: &Traffic) {
    let recorder = traffic.recorder();
    let operations = recorder.operations();
    let registers: BTreeSet<_> = operations.iter().map(|operation| &operation.key).collect();
    let wrap = |query, seen| {
        if query == LOCAL {
            Effect::Looked(seen)
        } else {
            Effect::Read(seen)
        }
    };
    for register in registers {
        let mut first = None;
        for replica in cluster.replicas() {
            for query in ["", LOCAL] {
                let started = recorder.start();
                let answer = replica.rest().get(&format!("{}{query}", path(register))).await;
                let (Some(index), Some(seen)) = (answer.applied_index, seen(&answer)) else {
                    traffic.surprise(format!("{JUDGE}: {register} at {}: {answer:?}", replica.name()));
                    continue;
                };
                let place = Place::At(index);
                recorder.end(register, JUDGE, started, wrap(query, seen), place);
                let first = *first.get_or_insert(seen);
                if first != seen {
                    let name = replica.name();
                    traffic.surprise(format!(
                        "{register} is {first:?} at one replica and {seen:?} at {name}{query}"
                    ));
                }
            }
        }
    }
}
