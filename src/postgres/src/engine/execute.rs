//! Commands: each is a transaction, tried again while others are first.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rand::RngExt as _;
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Postgres, Transaction, query, query_scalar};
use tokio::sync::oneshot;
use zephyrfs_core::engine::{At, EngineError};
use zephyrfs_core::event::ChangeKind;
use zephyrfs_core::id::RequestId;
use zephyrfs_core::units::AppliedIndex;
use zephyrfs_core::{Context, Envelope, Proposal, Rejection, Response, decide};

use super::batch::{Verdict, Waiting, may_share, stopped};
use super::fate::Fate;
use super::start::PostgresEngine;
use super::trouble::nothing_happened;
use crate::columns::Uuid;
use crate::error::StoreError;
use crate::load::{Locking, load};
use crate::tables::events;
use crate::write::{Decided, Written, write};

/// All that a transaction reads is of one state, and the first of two that write the same row wins.
pub(super) const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ";

/// Each statement reads what is committed by then: for commands that ask how much lies on nodes, which they lock first.
const STATEMENT: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// Who was not first waits up to so long before it tries again: longer each time, and at random.
const FIRST_WAIT: Duration = Duration::from_millis(2);
const LONGEST_WAIT: Duration = Duration::from_millis(200);

/// The server's own limit for a statement comes first, by so much.
const GRACE: Duration = Duration::from_secs(5);

/// What a transaction came to.
enum Outcome {
    Decided(Result<Response, Rejection>, AppliedIndex),
    /// An earlier attempt had been committed after all.
    HappenedBefore,
    /// It is certain that no earlier attempt is committed, nor ever will be: what came instead is the answer.
    RuledOut,
}

/// What is found of a proposal among the events.
enum Trace {
    Written,
    RuledOut,
}

/// What is known of earlier attempts at the same proposal.
#[derive(Default)]
pub(super) struct Attempts {
    number: u32,
    /// A commit was sent and its answer never came: what it would have answered.
    unsure: Option<At<Response>>,
    /// What a later attempt came to without writing anything: the answer once it is certain that the commit will not be done.
    instead: Option<(Result<Response, Rejection>, AppliedIndex)>,
}

impl Attempts {
    /// Whether a commit was sent and not answered.
    pub(super) const fn is_unsure(&self) -> bool {
        self.unsure.is_some()
    }

    /// A commit was sent, with this answer, and nobody knows whether it was done.
    pub(super) fn unsure(answer: At<Response>) -> Self {
        Self {
            number: 1,
            unsure: Some(answer),
            instead: None,
        }
    }
}

impl PostgresEngine {
    pub(super) async fn propose(
        &self,
        proposal: Proposal,
        within: Duration,
    ) -> Result<At<Response>, EngineError> {
        let began = Instant::now();
        let name = proposal.command.name();
        let fate = Arc::new(Fate::default());
        let trying = async {
            if may_share(&proposal) {
                self.in_company(proposal, &fate).await
            } else {
                self.until_done(&proposal, &fate, Attempts::default()).await
            }
        };
        let result = match tokio::time::timeout(within, trying).await {
            Ok(result) => result,
            Err(_) if fate.withdraw() => Err(EngineError::Unavailable {
                reason: "the database was too slow for the time there was; nothing was changed".to_owned(),
            }),
            Err(_) => Err(EngineError::UnknownOutcome {
                reason: "the time ran out while the database was writing".to_owned(),
            }),
        };
        let is_ok = matches!(result, Ok(_) | Err(EngineError::Rejected { .. }));
        self.options.observer.ended(name, began.elapsed(), is_ok);
        result
    }

    /// Hands a command to the workers, and tries it alone if it cannot be done together with others.
    async fn in_company(&self, proposal: Proposal, fate: &Arc<Fate>) -> Result<At<Response>, EngineError> {
        let (answer, verdict) = oneshot::channel();
        let waiting = Waiting {
            proposal: proposal.clone(),
            fate: Arc::clone(fate),
            answer,
        };
        self.queue.send(waiting).await.map_err(|_| stopped())?;
        // A worker that was stopped in the middle says nothing.
        let silence = |_| {
            if fate.withdraw() {
                stopped()
            } else {
                unknown(&StoreError::Unusable("this instance is stopping".to_owned()))
            }
        };
        match verdict.await.map_err(silence)? {
            Verdict::Decided(Ok(value), index) => Ok(At { index, value }),
            Verdict::Decided(Err(rejection), index) => Err(EngineError::Rejected { rejection, index }),
            Verdict::Failed(error) => Err(nothing_happened(error)),
            Verdict::Alone(attempts) => self.until_done(&proposal, fate, attempts).await,
        }
    }

    async fn until_done(
        &self,
        proposal: &Proposal,
        fate: &Fate,
        mut attempts: Attempts,
    ) -> Result<At<Response>, EngineError> {
        loop {
            let error = match self.attempt(proposal, &mut attempts, fate).await {
                Ok(Outcome::Decided(Ok(value), index)) => return Ok(At { index, value }),
                Ok(Outcome::Decided(Err(rejection), index)) => {
                    return Err(EngineError::Rejected { rejection, index });
                }
                Ok(Outcome::HappenedBefore) => match attempts.unsure.take() {
                    Some(answer) => return Ok(answer),
                    None => StoreError::corrupt("a proposal was found written that was never sent"),
                },
                Ok(Outcome::RuledOut) => match attempts.instead.take() {
                    Some((Ok(value), index)) => return Ok(At { index, value }),
                    Some((Err(rejection), index)) => {
                        return Err(EngineError::Rejected { rejection, index });
                    }
                    None => StoreError::corrupt("a proposal was found ruled out that nobody ruled out"),
                },
                Err(error) => error,
            };
            let cause = match &error {
                StoreError::Conflict(_) => "conflict",
                StoreError::Gone(_) => "connection",
                // The answer is in the database: it is waited for as long as there is time.
                _ if attempts.unsure.is_some() && error.may_pass() => "connection",
                _ if attempts.unsure.is_some() => return Err(unknown(&error)),
                _ => return Err(nothing_happened(error)),
            };
            self.options.observer.retried(proposal.command.name(), cause);
            attempts.number += 1;
            tokio::time::sleep(wait_before(attempts.number)).await;
        }
    }

    async fn attempt(
        &self,
        proposal: &Proposal,
        attempts: &mut Attempts,
        fate: &Fate,
    ) -> Result<Outcome, StoreError> {
        let mut connection = self.acquire().await?;
        let outcome = self
            .attempt_on(connection.server()?, proposal, attempts, fate)
            .await;
        connection.keep_unless_gone(&outcome);
        outcome
    }

    async fn attempt_on(
        &self,
        connection: &mut PgConnection,
        proposal: &Proposal,
        attempts: &mut Attempts,
        fate: &Fate,
    ) -> Result<Outcome, StoreError> {
        let index = self.index();
        let reads = proposal.reads();
        let (begin, locking) = if reads.usage.is_empty() {
            (SNAPSHOT, Locking::No)
        } else {
            (STATEMENT, Locking::NodesAndRequests)
        };
        let mut transaction = self.answered(begun(connection, begin)).await?;
        let loaded = self.answered(load(&mut transaction, &reads, locking)).await?;
        if attempts.unsure.is_some() {
            match self.answered(trace(&mut transaction, proposal.id)).await? {
                None => {}
                Some(found) => {
                    self.take_back(transaction).await?;
                    return Ok(match found {
                        Trace::Written => Outcome::HappenedBefore,
                        Trace::RuledOut => Outcome::RuledOut,
                    });
                }
            }
        }
        let envelope = Envelope {
            proposed_at: loaded.now,
            proposal: proposal.clone(),
        };
        let context = Context {
            index,
            now: loaded.now,
        };
        let effects = match decide(&envelope, &loaded.view, &context) {
            Ok(effects) if !effects.mutations.is_empty() => effects,
            without_effect => {
                self.take_back(transaction).await?;
                let answer = without_effect.map(|effects| effects.response);
                if attempts.unsure.is_none() {
                    return Ok(Outcome::Decided(answer, index));
                }
                // What writes nothing does not meet an earlier attempt at its event, which may still be under way.
                attempts.instead = Some((answer, index));
                return self.rule_out(connection, proposal.id).await;
            }
        };
        let decided = Decided {
            id: proposal.id,
            mutations: &effects.mutations,
        };
        let written = self
            .answered(write(&mut transaction, &[decided], &loaded))
            .await?;
        if !fate.commit() {
            self.take_back(transaction).await?;
            return Err(StoreError::Conflict("the command was withdrawn".to_owned()));
        }
        let committed = self.answered(async { Ok(transaction.commit().await?) }).await;
        if let Err(error) = committed {
            if error.is_gone() {
                // The server may still have done it. The event that was written with it tells.
                attempts.unsure = Some(At {
                    index,
                    value: effects.response,
                });
            } else if attempts.unsure.is_none() {
                fate.did_not_happen();
            }
            return Err(error);
        }
        self.note_written(std::iter::once(proposal.id).zip(&written));
        Ok(Outcome::Decided(Ok(effects.response), index))
    }
}

impl PostgresEngine {
    /// Takes the place of a proposal among the events, so that an attempt which is still under way cannot be committed any more.
    /// While that is so this waits for it at the key, as long as it waits for any row, and is tried again.
    async fn rule_out(&self, connection: &mut PgConnection, id: RequestId) -> Result<Outcome, StoreError> {
        let ruling_out = async {
            let done = query(events::RULE_OUT)
                .bind(Uuid(*id.as_bytes()))
                .execute(&mut *connection)
                .await?;
            Ok(done.rows_affected() > 0)
        };
        // Should its answer be lost, the next attempt finds what it did: now, or here, since what stands in its way is committed.
        if self.answered(ruling_out).await? {
            return Ok(Outcome::RuledOut);
        }
        match self.answered(trace(connection, id)).await? {
            Some(Trace::RuledOut) => Ok(Outcome::RuledOut),
            Some(Trace::Written) => Ok(Outcome::HappenedBefore),
            None => Err(StoreError::Conflict(
                "an event was there and is forgotten".to_owned(),
            )),
        }
    }

    /// Whether a proposal can not be written any more once it was tried to rule it out.
    #[cfg(test)]
    pub(crate) async fn rules_out(&self, id: RequestId) -> bool {
        let mut connection = self.acquire().await.unwrap();
        let outcome = self.rule_out(connection.server().unwrap(), id).await;
        matches!(outcome, Ok(Outcome::RuledOut))
    }

    /// Ends a transaction without effect, at once: whoever waits for its rows is not to wait until its connection is used again.
    pub(super) async fn take_back(&self, transaction: Transaction<'_, Postgres>) -> Result<(), StoreError> {
        self.answered(async { Ok(transaction.rollback().await?) }).await
    }

    /// What the server answers, in a time in which it answers if it is there at all: it may have vanished without a word.
    pub(super) async fn answered<T>(
        &self,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let bound = self.options.statement_timeout + GRACE;
        let answered = tokio::time::timeout(bound, work).await;
        answered.unwrap_or_else(|_| Err(StoreError::no_answer(bound)))
    }

    /// Proposals were written.
    pub(super) fn note_written<'w>(&self, written: impl Iterator<Item = (RequestId, &'w Written)>) {
        for (id, written) in written {
            self.own.add(Uuid(*id.as_bytes()), &written.delta);
            if written
                .changes
                .iter()
                .any(|change| change.kind() == ChangeKind::Node)
            {
                self.registry_version.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

/// A transaction that the server has begun.
pub(super) async fn begun<'c>(
    connection: &'c mut PgConnection,
    begin: &'static str,
) -> Result<Transaction<'c, Postgres>, StoreError> {
    Ok(connection.begin_with(begin).await?)
}

/// Whether a proposal was written by an attempt whose answer was lost, or ruled out. One that is still under way is not seen; its
/// row then makes this attempt fail, since no proposal can be written twice.
async fn trace(connection: &mut PgConnection, id: RequestId) -> Result<Option<Trace>, StoreError> {
    let ruled_out: Option<bool> = query_scalar(events::IS_RULED_OUT)
        .bind(Uuid(*id.as_bytes()))
        .fetch_optional(connection)
        .await?;
    Ok(ruled_out.map(|is_ruled_out| {
        if is_ruled_out {
            Trace::RuledOut
        } else {
            Trace::Written
        }
    }))
}

fn unknown(error: &StoreError) -> EngineError {
    EngineError::UnknownOutcome {
        reason: format!("the connection was lost while the database was writing, and then: {error}"),
    }
}

fn wait_before(attempt: u32) -> Duration {
    let most = (FIRST_WAIT * 2_u32.saturating_pow(attempt)).min(LONGEST_WAIT);
    most.mul_f64(rand::rng().random_range(0.2..1.0))
}
