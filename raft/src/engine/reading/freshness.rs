//! Waiting until this replica's state is as fresh as a read asks.

use std::sync::atomic::Ordering;
use std::time::Duration;

use openraft::async_runtime::WatchReceiver;
use openraft::error::{LinearizableReadError, RaftError};
use openraft::type_config::AsyncRuntime;
use openraft::{Instant, ReadPolicy, ServerState};
use zephyrfs_core::engine::{Consistency, EngineError, Freshness};
use zephyrfs_proto::peer::{ReadIndexReply, ReadIndexRequest, read_index_reply};

use super::Round;
use crate::disk::Disk;
use crate::engine::RaftEngine;
use crate::engine::proposing::no_leader;
use crate::peers::{Lane, pause_after};

/// A read waits at most so long for an index that it names; callers with a shorter deadline stop waiting themselves.
const READ_PATIENCE: Duration = Duration::from_secs(30);

/// How long a read that finds no leader looks for one: an election takes a second, so there is no quorum.
const LEADER_PATIENCE: Duration = Duration::from_secs(10);

impl<R: AsyncRuntime, D: Disk> RaftEngine<R, D> {
    /// Waits until this replica's state is as fresh as asked.
    pub(in crate::engine) async fn freshen(&self, freshness: Freshness) -> Result<(), EngineError> {
        let Freshness {
            consistency,
            at_least,
            max_staleness,
        } = freshness;
        let needed = match (consistency, max_staleness) {
            (Consistency::Linearizable | Consistency::Leader, _) => Some(self.next_round().await?.index),
            (Consistency::Local, None) => {
                self.check_local()?;
                None
            }
            (Consistency::Local, Some(staleness)) => {
                // A round proves how fresh the state is; nobody's clock but this replica's own is looked at.
                let last = self
                    .rounds
                    .last()
                    .filter(|round| round.began.elapsed() <= staleness);
                match last {
                    Some(round) => Some(round.index),
                    None => Some(self.next_round().await?.index),
                }
            }
        };
        let needed = needed.max(at_least.map(|index| index.get()));
        self.until_applied(needed.unwrap_or(0)).await
    }

    /// Before it took part, a replica has next to nothing to answer from: not even an old state.
    fn check_local(&self) -> Result<(), EngineError> {
        if self.recovered.load(Ordering::Acquire) {
            return Ok(());
        }
        let is_voter = self.members().find(self.raft_id).is_some_and(|me| me.is_voter);
        if is_voter && self.applied_index() > 0 {
            return Ok(());
        }
        let waiting = self.stage.waiting();
        Err(EngineError::Unavailable {
            reason: match waiting {
                Some(waiting) => format!("this replica has no state to answer from yet: {waiting}"),
                None => "this replica has no state to answer from yet; try another".to_owned(),
            },
        })
    }

    /// Waits until this replica has applied the log up to an index.
    async fn until_applied(&self, index: u64) -> Result<(), EngineError> {
        if self.applied_index() >= index {
            return Ok(());
        }
        match R::timeout(READ_PATIENCE, self.store.until_applied(index)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) if self.failure().is_some() => Err(EngineError::Failed {
                reason: error.to_string(),
            }),
            Ok(Err(_)) => Err(EngineError::Unavailable {
                reason: "this replica is stopping; try another".to_owned(),
            }),
            Err(_) => Err(EngineError::TimedOut {
                reason: format!(
                    "index {index} is not applied here yet; this replica is at {}",
                    self.applied_index()
                ),
            }),
        }
    }

    /// Takes part in rounds until one succeeds.
    async fn next_round(&self) -> Result<Round<R::Instant>, EngineError> {
        let until_one_succeeds = async {
            let mut failures = 0_u32;
            loop {
                let Some(engine) = self.me.upgrade() else {
                    return Err(no_leader());
                };
                let before = engine.leader().map(|leader| leader.term);
                let ask = async move { engine.ask_leader().await };
                match self.rounds.next(ask).await {
                    Err(EngineError::Unavailable { .. }) => {
                        failures = failures.saturating_add(1);
                        // Another leader is asked at once.
                        self.leader_after(before, pause_after(failures)).await;
                    }
                    done => return done,
                }
            }
        };
        R::timeout(LEADER_PATIENCE, until_one_succeeds)
            .await
            .unwrap_or_else(|_| Err(no_leader()))
    }

    /// Asks whoever leads up to where a read must have applied the log.
    async fn ask_leader(&self) -> Result<u64, EngineError> {
        let leader = self.leader().ok_or_else(no_leader)?;
        if leader.id == self.raft_id {
            return self.read_index().await;
        }
        let service = self.requests_to(&leader.address);
        let request = ReadIndexRequest {
            route: Some(self.whoami.route_to(leader.id)),
        };
        let unavailable = |reason: String| EngineError::Unavailable { reason };
        let asked = R::timeout(self.round_patience(), service.read_index(request)).await;
        let ReadIndexReply { outcome } = asked
            .map_err(|_| unavailable("the leader did not answer in time".to_owned()))?
            .map_err(|error| unavailable(error.to_string()))?;
        match outcome {
            Some(read_index_reply::Outcome::Index(index)) => Ok(index),
            Some(read_index_reply::Outcome::Unavailable(reason)) => Err(unavailable(reason)),
            None => Err(unavailable("the leader's answer says nothing".to_owned())),
        }
    }

    /// As the leader: has a majority of the voters confirm that it leads, and says what was committed before.
    pub(in crate::engine) async fn read_index(&self) -> Result<u64, EngineError> {
        // Leases on clocks are not used: a voter that restarts quickly forgets them.
        let read = self.raft.get_read_linearizer(ReadPolicy::ReadIndex);
        let read = R::timeout(self.round_patience(), read)
            .await
            .map_err(|_| EngineError::Unavailable {
                reason: "the leader cannot reach a majority; try again".to_owned(),
            })?;
        read.map(|linearizer| linearizer.read_log_id().index())
            .map_err(|error| match error {
                RaftError::APIError(LinearizableReadError::ForwardToLeader(_)) => no_leader(),
                RaftError::APIError(LinearizableReadError::QuorumNotEnough(_)) => EngineError::Unavailable {
                    reason: "the leader cannot reach a majority; try again".to_owned(),
                },
                RaftError::Fatal(fatal) => EngineError::Failed {
                    reason: format!("the Raft task ended: {fatal}"),
                },
            })
    }

    /// As the leader of a term: applies everything that was committed before, in this term or an earlier one.
    pub(in crate::engine) async fn read_here(&self, term: u64) -> Result<(), EngineError> {
        let leads = || {
            let metrics = self.raft.server_metrics();
            let metrics = metrics.borrow_watched();
            metrics.state == ServerState::Leader && metrics.vote.leader_id.term == term
        };
        if !leads() {
            return Err(no_leader());
        }
        let index = self.read_index().await?;
        self.until_applied(index).await?;
        if leads() { Ok(()) } else { Err(no_leader()) }
    }

    /// A leader that has not answered within two elections is most likely none any more.
    fn round_patience(&self) -> Duration {
        self.timing.election.1 * 2
    }

    /// The way to a replica for requests.
    pub(in crate::engine) fn requests_to(
        &self,
        address: &str,
    ) -> std::sync::Arc<dyn crate::peers::PeerService> {
        self.requests.to(address, || {
            self.transport
                .reach(address, Lane::Requests, self.timing.requests_patience())
        })
    }
}
