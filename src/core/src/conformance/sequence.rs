//! Random command sequences.

use std::fmt;

use proptest::collection::vec;
use proptest::prelude::Strategy;
use proptest::prop_oneof;

use super::actions::{self, Action};
use super::universe::chunk;
use crate::command::{
    AbandonTasks, Command, DeleteCopies, ExpireNodes, ForgetExpired, ForgetReplicas, LocationChange, PAGE,
    ReleaseChunks, RenewTasks, TaskName, TrimCopies, TrimPlan, UnregisterNode, UpdateChunkLocations,
};
use crate::envelope::{Envelope, Idempotency, Proposal};
use crate::id::{ChunkId, NodeId, RequestId, TaskId};
use crate::model::Model;
use crate::row::{Replica, Row, TaskReason};
use crate::units::{AppliedIndex, Millis, Timestamp};

/// Commands in the order in which they are applied.
#[derive(Clone)]
pub struct Sequence(Vec<Envelope>);

impl Sequence {
    /// The commands, each with its place in the order.
    pub fn steps(&self) -> impl Iterator<Item = (AppliedIndex, &Envelope)> {
        (1..).map(AppliedIndex::new).zip(&self.0)
    }
}

/// Random sequences: a few nodes first, then anything. One in sixteen has files that take several pages to release.
pub fn sequences() -> impl Strategy<Value = Sequence> {
    let opening = || vec(step(actions::register_node()), 2..5);
    let small = (opening(), vec(step(actions::small()), 0..60));
    let large = (opening(), vec(step(actions::large()), 0..25));
    prop_oneof![15 => small, 1 => large].prop_map(|(mut steps, more)| {
        steps.extend(more);
        Sequence(resolve(steps))
    })
}

/// An action with how the leader's clock moved before it.
#[derive(Debug, Clone)]
struct Step {
    clock: i64,
    idempotency: Option<Idempotency>,
    action: Action,
}

fn step(action: impl Strategy<Value = Action>) -> impl Strategy<Value = Step> {
    // Now and then the clock jumps back, as with a new leader.
    let clock = prop_oneof![9 => 0..20_000_i64, 1 => -50_000..0_i64];
    (clock, actions::idempotency(), action).prop_map(|(clock, idempotency, action)| Step {
        clock,
        idempotency,
        action,
    })
}

/// Fills in what depends on the state that the earlier commands made.
fn resolve(steps: Vec<Step>) -> Vec<Envelope> {
    let mut model = Model::default();
    let mut clock = 1_000_000_u64;
    let mut envelopes = Vec::with_capacity(steps.len());
    for (index, step) in (1..).zip(steps) {
        clock = clock.saturating_add_signed(step.clock);
        let proposed_at = Timestamp::from_millis(clock);
        let envelope = Envelope {
            proposed_at,
            proposal: Proposal {
                id: RequestId::from_bytes(u128::from(index).to_be_bytes()),
                idempotency: step.idempotency,
                command: command(step.action, proposed_at, &model),
            },
        };
        // A refused command is part of the sequence, too.
        let _ = model.apply(&envelope, AppliedIndex::new(index));
        envelopes.push(envelope);
    }
    envelopes
}

fn command(action: Action, now: Timestamp, model: &Model) -> Command {
    let ago = |span: Millis| now.minus(span);
    match action {
        Action::Command(command) => command,
        Action::Expire { nodes, silent_for } => Command::ExpireNodes(ExpireNodes {
            nodes,
            silent_since: ago(silent_for),
        }),
        Action::Release { pick } => Command::ReleaseChunks(ReleaseChunks {
            release: model
                .releases()
                .nth(pick)
                .or_else(|| model.releases().next())
                .copied()
                .unwrap_or(RequestId::from_bytes([7; 16])),
        }),
        Action::Forget { requests } => Command::ForgetExpired(ForgetExpired { requests }),
        Action::DeleteCopies {
            chunks,
            nodes,
            unreferenced_for,
            time,
        } => Command::DeleteCopies(DeleteCopies {
            copies: chunks
                .into_iter()
                .flat_map(|number| nodes.iter().map(move |node| (chunk(number), node.clone())))
                .collect(),
            unreferenced_since: ago(unreferenced_for),
            time,
        }),
        Action::Tasks { picks, renew } => {
            let tasks = picks.into_iter().map(|pick| task(pick, model)).collect();
            match renew {
                Some(time) => Command::RenewTasks(RenewTasks { tasks, time }),
                None => Command::AbandonTasks(AbandonTasks { tasks }),
            }
        }
        Action::Unregister { pick } => Command::UnregisterNode(UnregisterNode {
            node: task(pick, model).node,
            reason: "broken".to_owned(),
        }),
        Action::Report { pick, change } => {
            let TaskName { node, chunk, .. } = task(pick, model);
            Command::UpdateChunkLocations(UpdateChunkLocations {
                chunk,
                nodes: vec![node],
                change,
                max_replicas: 4,
            })
        }
        Action::ForgetReplicas { wanted, is_late } => Command::ForgetReplicas(ForgetReplicas {
            replicas: replicas(model).take(PAGE).collect(),
            wanted,
            not_after: in_time(is_late),
        }),
        Action::BringToDrained { chunk: number } => {
            let drained = model.rows().into_iter().find_map(|row| match row {
                Row::Node(id, node) => node.drain()?.done_at.map(|_| id),
                _ => None,
            });
            Command::UpdateChunkLocations(UpdateChunkLocations {
                chunk: chunk(number),
                nodes: drained.into_iter().collect(),
                change: LocationChange::Add,
                max_replicas: 4,
            })
        }
        Action::TrimCopies {
            wanted,
            time,
            is_late,
        } => Command::TrimCopies(TrimCopies {
            copies: replicas(model)
                .take(PAGE)
                .map(|(chunk, node)| TrimPlan {
                    chunk,
                    node,
                    reason: TaskReason::Surplus,
                })
                .collect(),
            wanted,
            not_after: in_time(is_late),
            time,
        }),
    }
}

/// Every replica of every chunk.
/// Until when a command that is late or not can do something.
const fn in_time(is_late: bool) -> Timestamp {
    if is_late {
        Timestamp::EPOCH
    } else {
        Timestamp::from_millis(u64::MAX)
    }
}

fn replicas(model: &Model) -> impl Iterator<Item = (ChunkId, NodeId)> {
    let chunks = model.rows().into_iter().filter_map(|row| match row {
        Row::Chunk(id, chunk) => Some((id, chunk.replicas)),
        _ => None,
    });
    chunks.flat_map(|(id, replicas)| {
        let pair = move |replica: Replica| (id.clone(), replica.node);
        replicas.into_iter().map(pair)
    })
}

fn task(pick: usize, model: &Model) -> TaskName {
    match model.tasks().nth(pick) {
        Some((node, chunk, task)) => TaskName {
            node: node.clone(),
            chunk: chunk.clone(),
            id: task.id,
        },
        None => TaskName {
            node: "a".into(),
            chunk: chunk(0),
            id: TaskId::from_bytes([7; 16]),
        },
    }
}

impl fmt::Debug for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, envelope) in self.steps() {
            writeln!(f, "{index:?} {}", Brief(envelope))?;
        }
        Ok(())
    }
}

/// A command on one line, with the chunks of a large file left out.
pub(super) struct Brief<'a>(pub(super) &'a Envelope);

impl fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let proposal = &self.0.proposal;
        write!(f, "{:?} ", self.0.proposed_at)?;
        if let Some(idempotency) = &proposal.idempotency {
            write!(f, "{idempotency:?} ")?;
        }
        match &proposal.command {
            Command::RegisterFile(file) if file.chunks.len() > 10 => {
                let ends = (file.chunks.first(), file.chunks.last());
                let few = crate::command::RegisterFile {
                    chunks: Vec::new(),
                    ..file.clone()
                };
                write!(
                    f,
                    "{few:?} with {} chunks from and to {ends:?}",
                    file.chunks.len()
                )
            }
            command => write!(f, "{command:?}"),
        }
    }
}
