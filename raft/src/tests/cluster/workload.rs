//! Clients that write and read at any replica, and note what they asked and what they were told.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use openraft::type_config::AsyncRuntime;
use openraft_rt_sim::{SimInstant, SimRuntime};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use zephyrfs_core::command::RegisterFile;
use zephyrfs_core::engine::{At, Consistency, Engine, EngineError, Freshness};
use zephyrfs_core::id::{FileId, RequestId};
use zephyrfs_core::row::{FileRow, Fingerprint};
use zephyrfs_core::units::{AppliedIndex, Millis};
use zephyrfs_core::{Command, Idempotency, Proposal, ReadSet, Rejection, Response};

use super::network::now;
use super::process::Gone;
use super::replicas::{Doors, Running, World, below};
use crate::tests::support::{file, node};

/// How long a client waits.
pub(super) const WITHIN: Duration = Duration::from_secs(3);

/// Files that all clients write.
const SHARED: u64 = 4;

/// The nodes that files are on.
pub(super) async fn register_nodes(world: &World) {
    for (number, id) in (1_u128..).zip(["n1", "n2", "n3"]) {
        let mut proposal = node(id);
        proposal.id = RequestId::from_bytes(number.to_be_bytes());
        let registering = world.on("a", |engine| {
            Box::pin(async move { engine.execute(proposal, Duration::from_secs(10)).await })
        });
        registering.await.unwrap().unwrap();
    }
}

/// What came of a write.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Written {
    /// It was decided.
    Decided(AppliedIndex, Result<Response, Rejection>),
    /// Nothing happened, and nothing will.
    Refused(String),
    /// Nobody knows.
    Unknown(String),
}

/// What a client did.
#[derive(Debug, Clone)]
pub(super) enum Done {
    Wrote {
        id: RequestId,
        outcome: Written,
    },
    Read {
        freshness: Freshness,
        file: FileId,
        index: AppliedIndex,
        row: Option<FileRow>,
    },
}

/// A call, from when it was made to when it was answered.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) began: SimInstant,
    pub(super) ended: SimInstant,
    pub(super) done: Done,
}

/// What all clients did.
#[derive(Debug, Clone, Default)]
pub(super) struct History(Arc<Mutex<Vec<Call>>>);

impl History {
    pub(super) fn calls(&self) -> Vec<Call> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, began: SimInstant, done: Done) {
        let call = Call {
            began,
            ended: now(),
            done,
        };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }

    /// How many writes were decided.
    pub(super) fn decided(&self) -> usize {
        let decided = |call: &&Call| {
            matches!(
                &call.done,
                Done::Wrote {
                    outcome: Written::Decided(..),
                    ..
                }
            )
        };
        self.calls().iter().filter(decided).count()
    }
}

/// A client.
pub(super) struct Client {
    number: u64,
    next: u64,
    doors: Doors,
    history: History,
    random: SmallRng,
    /// The last index that it was told.
    last: AppliedIndex,
}

impl Client {
    pub(super) fn new(seed: u64, number: u64, doors: Doors, history: History) -> Self {
        Self {
            number,
            next: 0,
            doors,
            history,
            random: SmallRng::seed_from_u64(seed ^ (number << 32)),
            last: AppliedIndex::new(0),
        }
    }

    /// Writes and reads for so long.
    pub(super) async fn work(mut self, duration: Duration) {
        let until = now() + duration;
        while now() < until {
            match below(&mut self.random, 10) {
                0..4 => {
                    let key = below(&mut self.random, SHARED);
                    self.write(&format!("shared-{key}"), false).await;
                }
                4..6 => {
                    let name = format!("own-{}-{}", self.number, self.next);
                    self.write(&name, false).await;
                }
                6 => {
                    let key = below(&mut self.random, SHARED);
                    self.write(&format!("shared-{key}"), true).await;
                }
                _ => {
                    let key = below(&mut self.random, SHARED);
                    self.read(&format!("shared-{key}")).await;
                }
            }
            let pause = self.random.random_range(1_000..60_000);
            SimRuntime::sleep(Duration::from_micros(pause)).await;
        }
    }

    /// Writes content to a file that no other write has, at any replica; a keyed one until it is known what came of it.
    pub(super) async fn write(&mut self, name: &str, is_keyed: bool) {
        let (register, key) = self.content(name, is_keyed);
        for _ in 0..if is_keyed { 5 } else { 1 } {
            let Some(replica) = self.doors.any(&mut self.random) else {
                return;
            };
            let proposal = self.proposal(&register, key.clone());
            let outcome = self.propose(&replica, proposal).await;
            if !matches!(outcome, Written::Unknown(_)) {
                return;
            }
        }
    }

    /// Writes content to a file that no other write has, at a replica, once.
    pub(super) async fn write_at(&mut self, replica: &Running, name: &str, is_keyed: bool) -> Written {
        let (register, key) = self.content(name, is_keyed);
        let proposal = self.proposal(&register, key);
        self.propose(replica, proposal).await
    }

    fn content(&self, name: &str, is_keyed: bool) -> (RegisterFile, Option<Idempotency>) {
        let version = format!("{}-{}", self.number, self.next);
        let Command::RegisterFile(mut register) = file(&version, 2).command else {
            panic!("a file is registered by another command");
        };
        register.file = FileId::from(name);
        let key = is_keyed.then(|| Idempotency {
            key: version.clone(),
            fingerprint: Fingerprint::from_bytes(*blake3::hash(version.as_bytes()).as_bytes()),
            keep_for: Millis::new(3_600_000),
        });
        (register, key)
    }

    fn proposal(&mut self, register: &RegisterFile, idempotency: Option<Idempotency>) -> Proposal {
        let number = (u128::from(self.number) << 64) | u128::from(self.next);
        self.next += 1;
        Proposal {
            id: RequestId::from_bytes(number.to_be_bytes()),
            idempotency,
            command: Command::RegisterFile(register.clone()),
        }
    }

    /// Has a command decided at a replica.
    pub(super) async fn propose(&mut self, replica: &Running, proposal: Proposal) -> Written {
        let began = now();
        let id = proposal.id;
        let asked = replica.ask(|engine| Box::pin(async move { engine.execute(proposal, WITHIN).await }));
        // A process that is halted does not keep deadlines, so its clients do.
        let answer = SimRuntime::timeout(WITHIN + Duration::from_secs(1), asked).await;
        let outcome = match answer {
            Err(_) => Written::Unknown("no answer in time".to_owned()),
            Ok(Err(Gone)) => Written::Unknown("the replica is gone".to_owned()),
            Ok(Ok(Ok(At { index, value }))) => Written::Decided(index, Ok(value)),
            Ok(Ok(Err(EngineError::Rejected { rejection, index }))) => {
                Written::Decided(index, Err(rejection))
            }
            Ok(Ok(Err(EngineError::UnknownOutcome { reason }))) => Written::Unknown(reason),
            Ok(Ok(Err(
                EngineError::Unavailable { reason }
                | EngineError::Overloaded { reason }
                | EngineError::Failed { reason },
            ))) => Written::Refused(reason),
            Ok(Ok(Err(EngineError::TimedOut { reason }))) => {
                panic!("a write timed out as a read does: {reason}")
            }
        };
        if let Written::Decided(index, _) = &outcome {
            self.last = self.last.max(*index);
        }
        let noted = outcome.clone();
        self.history.note(began, Done::Wrote { id, outcome });
        noted
    }

    /// Reads a file at any replica, as fresh as chance wants.
    async fn read(&mut self, name: &str) {
        let freshness = match below(&mut self.random, 8) {
            0 => Freshness {
                consistency: Consistency::Local,
                ..Freshness::default()
            },
            1 => Freshness {
                consistency: Consistency::Local,
                at_least: Some(self.last),
                ..Freshness::default()
            },
            2 | 3 => Freshness {
                consistency: Consistency::Leader,
                ..Freshness::default()
            },
            _ => Freshness::default(),
        };
        let Some(replica) = self.doors.any(&mut self.random) else {
            return;
        };
        // What a replica does not answer says nothing.
        let _ = self.read_at(&replica, name, freshness).await;
    }

    /// Reads a file at a replica.
    pub(super) async fn read_at(
        &mut self,
        replica: &Running,
        name: &str,
        freshness: Freshness,
    ) -> Option<At<Option<FileRow>>> {
        let began = now();
        let file = FileId::from(name);
        let reads = ReadSet {
            files: vec![file.clone()],
            ..ReadSet::default()
        };
        let asked = replica.ask(|engine| Box::pin(async move { engine.view(reads, freshness).await }));
        let answer = SimRuntime::timeout(WITHIN, asked).await;
        let At { index, mut value } = answer.ok()?.ok()?.ok()?;
        self.last = self.last.max(index);
        let row = value.files.remove(&file);
        let done = Done::Read {
            freshness,
            file,
            index,
            row: row.clone(),
        };
        self.history.note(began, done);
        Some(At { index, value: row })
    }
}
