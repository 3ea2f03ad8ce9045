//! Commands that have nothing to do with each other, in one transaction.
//!
//! What a transaction costs besides its rows (its beginning, its end on disk, a look at the nodes) is the same for one command as
//! for twenty. So commands of the kinds that clients send all the time wait in a queue until a worker is free, and each worker
//! takes all that wait, as many as fit. Nobody waits for company: with few clients each transaction has one command.

use std::collections::BTreeSet;
use std::sync::Arc;

use sqlx::postgres::PgConnection;
use tokio::sync::{Semaphore, mpsc, oneshot};
use zephyrfs_core::engine::{At, EngineError};
use zephyrfs_core::units::AppliedIndex;
use zephyrfs_core::{Command, Context, Effects, Envelope, Proposal, ReadSet, Rejection, Response, decide};

use super::execute::{Attempts, SNAPSHOT, begun};
use super::fate::Fate;
use super::start::PostgresEngine;
use crate::error::StoreError;
use crate::load::{Loaded, Locking, load, load_if_all_new, together};
use crate::write::{Additions, Decided, write};

/// So many commands at most make a transaction.
const MOST: usize = 32;

/// So many chunks at most are named by the commands of one: a few large files are enough.
const MOST_CHUNKS: usize = 512;

/// Of each file that is deleted or replaced so many chunks are loaded; one of more is seen to by itself. A file that is deleted is
/// taken for one of so many.
const A_FILE: usize = 64;

/// Of so many connections one is for commands that share transactions.
const CONNECTIONS_EACH: u32 = 4;

/// What becomes of a command in a batch.
pub(super) enum Verdict {
    /// It is done, or refused.
    Decided(Result<Response, Rejection>, AppliedIndex),
    /// It is to be tried by itself, and this is known of the attempt in the batch.
    Alone(Attempts),
    /// Nothing happened, for a reason that concerns all.
    Failed(StoreError),
}

impl Verdict {
    /// Whether the server's answer was lost.
    const fn is_lost(&self) -> bool {
        matches!(self, Self::Alone(attempts) if attempts.is_unsure())
    }
}

/// A command that waits.
pub(super) struct Waiting {
    pub(super) proposal: Proposal,
    pub(super) fate: Arc<Fate>,
    pub(super) answer: oneshot::Sender<Verdict>,
}

/// Whether a command may share a transaction: it writes nothing but files and chunks that it names.
pub(super) fn may_share(proposal: &Proposal) -> bool {
    let is_common = matches!(
        proposal.command,
        Command::RegisterFile(_) | Command::UpdateChunkLocations(_) | Command::DeleteFile(_)
    );
    is_common && weight(proposal) <= MOST_CHUNKS
}

/// About how many chunks it loads: those that it names, and those of a file that goes.
fn weight(proposal: &Proposal) -> usize {
    match &proposal.command {
        Command::DeleteFile(_) => A_FILE,
        _ => proposal.reads().chunks.len().max(1),
    }
}

impl PostgresEngine {
    /// Works off what waits, until nothing comes any more. What comes while all workers are busy is taken together.
    pub(super) async fn work_off(self: Arc<Self>, mut queue: mpsc::Receiver<Waiting>) {
        let workers = (self.options.max_connections / CONNECTIONS_EACH).max(1);
        let idle = Arc::new(Semaphore::new(usize::try_from(workers).unwrap_or(1)));
        let mut next: Option<Waiting> = None;
        while let Ok(place) = Arc::clone(&idle).acquire_owned().await {
            let mut batch = match next.take() {
                Some(waiting) => vec![waiting],
                None => match queue.recv().await {
                    Some(waiting) => vec![waiting],
                    None => return,
                },
            };
            let mut chunks = weight(&batch[0].proposal);
            while batch.len() < MOST
                && let Ok(waiting) = queue.try_recv()
            {
                chunks += weight(&waiting.proposal);
                if chunks > MOST_CHUNKS {
                    next = Some(waiting);
                    break;
                }
                batch.push(waiting);
            }
            let worker = Arc::clone(&self);
            tokio::spawn(async move {
                worker.work_on(batch).await;
                drop(place);
            });
        }
    }

    async fn work_on(&self, batch: Vec<Waiting>) {
        let batch: Vec<_> = batch
            .into_iter()
            .filter(|waiting| !waiting.fate.is_withdrawn())
            .collect();
        let outcome = self.attempt_all(&batch).await;
        let verdicts = match outcome {
            Ok(verdicts) => verdicts,
            // Each by itself finds out who was in whose way, or what the database cannot do for it, or that the connection was broken.
            Err(error) if error.is_of_one() && (batch.len() > 1 || error.is_repeatable()) => {
                let cause = match &error {
                    StoreError::Gone(_) => "connection",
                    StoreError::Conflict(_) => "conflict",
                    _ => "company",
                };
                let alone = |waiting: &Waiting| {
                    if !waiting.fate.is_withdrawn() {
                        self.note_retried(waiting, cause);
                    }
                    Verdict::Alone(Attempts::default())
                };
                batch.iter().map(alone).collect()
            }
            Err(error) => batch.iter().map(|_| Verdict::Failed(error.clone())).collect(),
        };
        for (waiting, verdict) in batch.into_iter().zip(verdicts) {
            if verdict.is_lost() {
                self.note_retried(&waiting, "connection");
            }
            // Whoever gave up does not want to know.
            let _wanted = waiting.answer.send(verdict);
        }
    }

    fn note_retried(&self, waiting: &Waiting, cause: &'static str) {
        let name = waiting.proposal.command.name();
        self.options.observer.retried(name, cause);
    }

    /// Tries to work off a batch in one transaction. Commands that meet at the same rows are left to be tried by themselves.
    async fn attempt_all(&self, batch: &[Waiting]) -> Result<Vec<Verdict>, StoreError> {
        let mut connection = self.acquire().await?;
        let verdicts = self.attempt_all_on(connection.server()?, batch).await;
        let is_any_lost = |verdicts: &Vec<Verdict>| verdicts.iter().any(Verdict::is_lost);
        if !verdicts.as_ref().is_ok_and(is_any_lost) {
            connection.keep_unless_gone(&verdicts);
        }
        verdicts
    }

    async fn attempt_all_on(
        &self,
        connection: &mut PgConnection,
        batch: &[Waiting],
    ) -> Result<Vec<Verdict>, StoreError> {
        let index = self.index();
        let reads: Vec<ReadSet> = batch
            .iter()
            .map(|waiting| of_small_files(waiting.proposal.reads()))
            .collect();
        let together = together(&reads);
        if batch.iter().all(|waiting| may_only_add(&waiting.proposal))
            && let Some(loaded) = self.answered(load_if_all_new(connection, &together)).await?
        {
            let decisions = decide_all(batch, &reads, &loaded, index);
            let decided = to_write(batch, &decisions);
            if let Some(additions) = Additions::of(&decided, &loaded)? {
                let lost = self.add(connection, batch, &decided, additions).await?;
                return Ok(verdicts(batch, decisions, lost, index));
            }
        }
        let mut transaction = self.answered(begun(connection, SNAPSHOT)).await?;
        let loaded = self
            .answered(load(&mut transaction, &together, Locking::No))
            .await?;
        let decisions = decide_all(batch, &reads, &loaded, index);
        let decided = to_write(batch, &decisions);
        let mut lost = false;
        if decided.is_empty() {
            self.take_back(transaction).await?;
        } else {
            let written = self.answered(write(&mut transaction, &decided, &loaded)).await?;
            if !batch.iter().all(|waiting| waiting.fate.commit()) {
                batch.iter().for_each(|waiting| waiting.fate.did_not_happen());
                self.take_back(transaction).await?;
                return Err(StoreError::Conflict("a command was withdrawn".to_owned()));
            }
            match self.answered(async { Ok(transaction.commit().await?) }).await {
                Ok(()) => self.note_written(decided.iter().map(|one| one.id).zip(&written)),
                // The server may still have done it. The events that were written with it tell.
                Err(error) if error.is_gone() => lost = true,
                Err(error) => {
                    batch.iter().for_each(|waiting| waiting.fate.did_not_happen());
                    return Err(error);
                }
            }
        }
        Ok(verdicts(batch, decisions, lost, index))
    }

    /// Writes rows of which none was there, with one statement. Answers whether the server's answer was lost.
    async fn add(
        &self,
        connection: &mut PgConnection,
        batch: &[Waiting],
        decided: &[Decided<'_>],
        additions: Additions,
    ) -> Result<bool, StoreError> {
        if decided.is_empty() {
            return Ok(false);
        }
        if !batch.iter().all(|waiting| waiting.fate.commit()) {
            batch.iter().for_each(|waiting| waiting.fate.did_not_happen());
            return Err(StoreError::Conflict("a command was withdrawn".to_owned()));
        }
        match self.answered(additions.write(connection)).await {
            Ok(written) => {
                self.note_written(decided.iter().map(|one| one.id).zip(&written));
                Ok(false)
            }
            // The server may still have done it. The events that were written with it tell.
            Err(error) if error.is_gone() => Ok(true),
            Err(error) => {
                batch.iter().for_each(|waiting| waiting.fate.did_not_happen());
                Err(error)
            }
        }
    }
}

/// Whether a command usually makes rows that were not there.
const fn may_only_add(proposal: &Proposal) -> bool {
    matches!(proposal.command, Command::RegisterFile(_))
}

/// What each command comes to, but for those that meet others at the same rows.
fn decide_all(
    batch: &[Waiting],
    reads: &[ReadSet],
    loaded: &Loaded,
    index: AppliedIndex,
) -> Vec<Option<Result<Effects, Rejection>>> {
    let mut met = Met::default();
    batch
        .iter()
        .zip(reads)
        .map(|(waiting, reads)| {
            (is_all(reads, loaded) && met.first(reads, loaded))
                .then(|| decide_on(&waiting.proposal, reads, loaded, index))
        })
        .collect()
}

/// What is to be written of it.
fn to_write<'d>(batch: &[Waiting], decisions: &'d [Option<Result<Effects, Rejection>>]) -> Vec<Decided<'d>> {
    batch
        .iter()
        .zip(decisions)
        .filter_map(|(waiting, decision)| match decision {
            Some(Ok(effects)) if !effects.mutations.is_empty() => Some(Decided {
                id: waiting.proposal.id,
                mutations: &effects.mutations,
            }),
            _ => None,
        })
        .collect()
}

/// What becomes of each command once what was to be written is; `lost` if nobody knows whether it is.
fn verdicts(
    batch: &[Waiting],
    decisions: Vec<Option<Result<Effects, Rejection>>>,
    lost: bool,
    index: AppliedIndex,
) -> Vec<Verdict> {
    // Those that were left out were not committed.
    let left_out = batch
        .iter()
        .zip(&decisions)
        .filter(|(_, decision)| decision.is_none());
    left_out.for_each(|(waiting, _)| waiting.fate.did_not_happen());
    let verdict = |decision: Option<Result<Effects, Rejection>>| match decision {
        None => Verdict::Alone(Attempts::default()),
        Some(Err(rejection)) => Verdict::Decided(Err(rejection), index),
        Some(Ok(effects)) if lost && !effects.mutations.is_empty() => Verdict::Alone(Attempts::unsure(At {
            index,
            value: effects.response,
        })),
        Some(Ok(effects)) => Verdict::Decided(Ok(effects.response), index),
    };
    decisions.into_iter().map(verdict).collect()
}

fn decide_on(
    proposal: &Proposal,
    reads: &ReadSet,
    loaded: &Loaded,
    index: AppliedIndex,
) -> Result<Effects, Rejection> {
    let envelope = Envelope {
        proposed_at: loaded.now,
        proposal: proposal.clone(),
    };
    let context = Context {
        index,
        now: loaded.now,
    };
    decide(&envelope, &loaded.part_for(reads), &context)
}

/// What a command asks for, without more than a little of the files that go: whose these are, and how large, is not known before
/// they are loaded.
fn of_small_files(mut reads: ReadSet) -> ReadSet {
    for (_, limit) in &mut reads.file_chunks {
        *limit = (*limit).min(A_FILE);
    }
    reads
}

/// Whether all was loaded that the command asks for: none of its files has more chunks than were.
fn is_all(reads: &ReadSet, loaded: &Loaded) -> bool {
    reads.file_chunks.iter().all(|(file, limit)| {
        let file = loaded.view.files.get(file);
        file.is_none_or(|file| file.chunks.len() <= *limit)
    })
}

/// The files, chunks and keys that commands of a batch ask for.
#[derive(Default)]
struct Met<'r> {
    files: BTreeSet<&'r str>,
    chunks: BTreeSet<&'r str>,
    keys: BTreeSet<&'r str>,
}

impl<'r> Met<'r> {
    /// Whether nobody before asked for any of them; and notes them if so.
    fn first(&mut self, reads: &'r ReadSet, loaded: &'r Loaded) -> bool {
        let of_files = reads.file_chunks.iter().filter_map(|(file, limit)| {
            let chunks = &loaded.view.files.get(file)?.chunks;
            Some(chunks.iter().take(*limit))
        });
        let held = of_files.flatten().map(|chunk| chunk.id.as_str());
        let chunks: Vec<&str> = reads
            .chunks
            .iter()
            .map(|chunk| chunk.as_str())
            .chain(held)
            .collect();
        let named = reads
            .files
            .iter()
            .chain(reads.file_chunks.iter().map(|(file, _)| file));
        let files: Vec<&str> = named.map(|file| file.as_str()).collect();
        let keys: Vec<&str> = reads.requests.iter().map(String::as_str).collect();
        let is_first = chunks.iter().all(|chunk| !self.chunks.contains(chunk))
            && files.iter().all(|file| !self.files.contains(file))
            && keys.iter().all(|key| !self.keys.contains(key));
        if is_first {
            self.chunks.extend(chunks);
            self.files.extend(files);
            self.keys.extend(keys);
        }
        is_first
    }
}

/// Who stops takes nothing any more.
pub(super) fn stopped() -> EngineError {
    EngineError::Unavailable {
        reason: "this instance is stopping".to_owned(),
    }
}

#[cfg(test)]
impl PostgresEngine {
    /// Works off commands as one batch, and answers which of them it leaves to be tried by themselves.
    pub(crate) async fn leaves_alone(&self, proposals: Vec<Proposal>) -> Vec<bool> {
        let waiting = |proposal| Waiting {
            proposal,
            fate: Arc::default(),
            answer: oneshot::channel().0,
        };
        let batch: Vec<_> = proposals.into_iter().map(waiting).collect();
        let verdicts = self.attempt_all(&batch).await.unwrap();
        let is_alone = |verdict| matches!(verdict, Verdict::Alone(_));
        verdicts.into_iter().map(is_alone).collect()
    }
}
