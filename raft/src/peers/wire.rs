//! From openraft's types to messages between replicas, and back.

use std::io;

use openraft::impls::leader_id_std::LeaderId;
use openraft::raft::{
    AppendEntriesRequest, StreamAppendError, StreamAppendResult, TransferLeaderError, TransferLeaderRequest,
    VoteRequest, VoteResponse,
};
use openraft::type_config::AsyncRuntime;
use openraft::type_config::alias::{LogIdOf, VoteOf};
use zephyrfs_proto::peer;
use zephyrfs_proto::peer::{append_reply, transfer_leader_reply};

use super::api::PeerError;
use crate::error::StoreError;
use crate::log::{decode_entry, encode_entry};
use crate::types::{LeaderTerm, Types};

type LogId<R> = LogIdOf<Types<R>>;
type Vote<R> = VoteOf<Types<R>>;

/// A log id as a message.
pub(crate) fn log_id<R: AsyncRuntime>(log_id: &LogId<R>) -> peer::LogId {
    let term = log_id.leader_id.term;
    peer::LogId {
        term,
        index: log_id.index,
    }
}

/// A log id from a message.
pub(crate) fn log_id_from<R: AsyncRuntime>(log_id: &peer::LogId) -> LogId<R> {
    let peer::LogId { term, index } = *log_id;
    openraft::LogId {
        leader_id: LeaderTerm::new(term),
        index,
    }
}

/// A vote as a message.
pub(crate) const fn ballot<R: AsyncRuntime>(vote: &Vote<R>) -> peer::Ballot {
    peer::Ballot {
        term: vote.leader_id.term,
        node: vote.leader_id.voted_for,
        committed: vote.committed,
    }
}

/// A vote from a message.
///
/// # Errors
/// If there is none.
pub(crate) fn vote_from<R: AsyncRuntime>(ballot: Option<peer::Ballot>) -> Result<Vote<R>, PeerError> {
    let peer::Ballot {
        term,
        node,
        committed,
    } = ballot.ok_or_else(|| malformed("it has no ballot"))?;
    Ok(openraft::Vote {
        leader_id: LeaderId {
            term,
            voted_for: node,
        },
        committed,
    })
}

/// The sender's own vote, from a message: with `leads`, that of a leader, else that of one that stands for election.
///
/// # Errors
/// If there is none, or another one.
fn own_vote_from<R: AsyncRuntime>(
    route: Option<&peer::Route>,
    ballot: Option<peer::Ballot>,
    leads: bool,
) -> Result<Vote<R>, PeerError> {
    let vote = vote_from::<R>(ballot)?;
    if route.map(|route| route.from) != Some(vote.leader_id.voted_for) {
        return Err(malformed("its ballot is not the sender's own"));
    }
    if vote.committed != leads {
        return Err(malformed(if leads {
            "its ballot is not that of a leader"
        } else {
            "it asks for a vote that was granted before"
        }));
    }
    Ok(vote)
}

/// Entries for a peer.
///
/// # Errors
/// If an entry cannot be encoded.
pub(crate) fn append<R: AsyncRuntime>(
    route: peer::Route,
    request: &AppendEntriesRequest<Types<R>>,
) -> Result<peer::AppendRequest, StoreError> {
    let AppendEntriesRequest {
        vote,
        prev_log_id,
        entries,
        leader_commit,
    } = request;
    Ok(peer::AppendRequest {
        route: Some(route),
        ballot: Some(ballot::<R>(vote)),
        previous: prev_log_id.as_ref().map(log_id::<R>),
        entries: entries.iter().map(encode_entry::<R>).collect::<Result<_, _>>()?,
        committed: leader_commit.as_ref().map(log_id::<R>),
    })
}

/// Entries from the leader.
///
/// # Errors
/// If the message cannot be read.
pub(crate) fn append_from<R: AsyncRuntime>(
    request: peer::AppendRequest,
) -> Result<AppendEntriesRequest<Types<R>>, PeerError> {
    let peer::AppendRequest {
        route,
        ballot,
        previous,
        entries,
        committed,
    } = request;
    let first = previous
        .as_ref()
        .map_or(0, |previous| previous.index.saturating_add(1));
    // Far below where counting would end; no log was ever so long.
    if first > u64::MAX / 2 {
        return Err(malformed("its entries lie beyond the end of any log"));
    }
    let entries = (first..).zip(entries).map(|(index, bytes)| {
        decode_entry::<R>(index, &bytes).map_err(|error| PeerError::Malformed(error.to_string()))
    });
    Ok(AppendEntriesRequest {
        vote: own_vote_from::<R>(route.as_ref(), ballot, true)?,
        prev_log_id: previous.as_ref().map(log_id_from::<R>),
        entries: entries.collect::<Result<_, _>>()?,
        leader_commit: committed.as_ref().map(log_id_from::<R>),
    })
}

/// What came of entries, as a message.
pub(crate) fn appended<R: AsyncRuntime>(result: &StreamAppendResult<Types<R>>) -> peer::AppendReply {
    let outcome = match result {
        Ok(up_to) => append_reply::Outcome::Matching(peer::Matching {
            up_to: up_to.as_ref().map(log_id::<R>),
        }),
        Err(StreamAppendError::Conflict(at)) => append_reply::Outcome::Conflict(log_id::<R>(at)),
        Err(StreamAppendError::HigherVote(vote)) => append_reply::Outcome::Higher(ballot::<R>(vote)),
    };
    peer::AppendReply {
        outcome: Some(outcome),
    }
}

/// What came of entries, from a message.
///
/// # Errors
/// If the message cannot be read.
pub(crate) fn appended_from<R: AsyncRuntime>(
    reply: peer::AppendReply,
) -> Result<StreamAppendResult<Types<R>>, PeerError> {
    match reply.outcome.ok_or_else(|| malformed("it says nothing"))? {
        append_reply::Outcome::Matching(peer::Matching { up_to }) => {
            Ok(Ok(up_to.as_ref().map(log_id_from::<R>)))
        }
        append_reply::Outcome::Conflict(at) => Ok(Err(StreamAppendError::Conflict(log_id_from::<R>(&at)))),
        append_reply::Outcome::Higher(ballot) => {
            Ok(Err(StreamAppendError::HigherVote(vote_from::<R>(Some(ballot))?)))
        }
    }
}

/// A request for a vote, as a message.
pub(crate) fn vote<R: AsyncRuntime>(
    route: peer::Route,
    request: &VoteRequest<Types<R>>,
) -> peer::VoteRequest {
    peer::VoteRequest {
        route: Some(route),
        ballot: Some(ballot::<R>(&request.vote)),
        last: request.last_log_id.as_ref().map(log_id::<R>),
        leadership_transfer: request.leadership_transfer,
    }
}

/// A request for a vote, from a message.
///
/// # Errors
/// If the message cannot be read.
pub(crate) fn vote_request_from<R: AsyncRuntime>(
    request: &peer::VoteRequest,
) -> Result<VoteRequest<Types<R>>, PeerError> {
    let peer::VoteRequest {
        route,
        ballot,
        last,
        leadership_transfer,
    } = request;
    let vote = own_vote_from::<R>(route.as_ref(), *ballot, false)?;
    let mut asked = VoteRequest::new(vote, last.as_ref().map(log_id_from::<R>));
    asked.leadership_transfer = *leadership_transfer;
    Ok(asked)
}

/// An answer to a request for a vote, as a message.
pub(crate) fn voted<R: AsyncRuntime>(response: &VoteResponse<Types<R>>) -> peer::VoteReply {
    peer::VoteReply {
        ballot: Some(ballot::<R>(&response.vote)),
        granted: response.vote_granted,
        last: response.last_log_id.as_ref().map(log_id::<R>),
    }
}

/// An answer to a request for a vote, from a message.
///
/// # Errors
/// If the message cannot be read.
pub(crate) fn voted_from<R: AsyncRuntime>(
    reply: &peer::VoteReply,
) -> Result<VoteResponse<Types<R>>, PeerError> {
    let peer::VoteReply {
        ballot,
        granted,
        last,
    } = reply;
    Ok(VoteResponse::new(
        vote_from::<R>(*ballot)?,
        last.as_ref().map(log_id_from::<R>),
        *granted,
    ))
}

/// A handover of leadership, as a message.
pub(crate) fn transfer<R: AsyncRuntime>(
    route: peer::Route,
    request: &TransferLeaderRequest<Types<R>>,
) -> peer::TransferLeaderRequest {
    peer::TransferLeaderRequest {
        route: Some(route),
        from_leader: Some(ballot::<R>(request.from_leader())),
        last: request.last_log_id().map(log_id::<R>),
        next: *request.to_node_id(),
    }
}

/// A handover of leadership, from a message.
///
/// # Errors
/// If the message cannot be read.
pub(crate) fn transfer_from<R: AsyncRuntime>(
    request: &peer::TransferLeaderRequest,
) -> Result<TransferLeaderRequest<Types<R>>, PeerError> {
    let peer::TransferLeaderRequest {
        route,
        from_leader,
        last,
        next,
    } = request;
    Ok(TransferLeaderRequest::new(
        own_vote_from::<R>(route.as_ref(), *from_leader, true)?,
        *next,
        last.as_ref().map(log_id_from::<R>),
    ))
}

/// An answer to a handover, as a message.
pub(crate) fn transferred<R: AsyncRuntime>(
    result: &Result<(), TransferLeaderError<Types<R>>>,
) -> peer::TransferLeaderReply {
    let outcome = match result {
        Ok(()) => transfer_leader_reply::Outcome::Started(peer::Started {}),
        Err(TransferLeaderError::VoteChanged { actual, .. }) => {
            transfer_leader_reply::Outcome::VoteChanged(ballot::<R>(actual))
        }
        Err(TransferLeaderError::LogNotFlushed { actual, .. }) => {
            transfer_leader_reply::Outcome::LogBehind(peer::Matching {
                up_to: actual.as_ref().map(log_id::<R>),
            })
        }
    };
    peer::TransferLeaderReply {
        outcome: Some(outcome),
    }
}

/// An answer to a handover, from a message.
///
/// # Errors
/// If the message cannot be read.
pub(crate) fn transferred_from<R: AsyncRuntime>(
    reply: peer::TransferLeaderReply,
    asked: &TransferLeaderRequest<Types<R>>,
) -> Result<Result<(), TransferLeaderError<Types<R>>>, PeerError> {
    match reply.outcome.ok_or_else(|| malformed("it says nothing"))? {
        transfer_leader_reply::Outcome::Started(peer::Started {}) => Ok(Ok(())),
        transfer_leader_reply::Outcome::VoteChanged(ballot) => Ok(Err(TransferLeaderError::VoteChanged {
            expected: *asked.from_leader(),
            actual: vote_from::<R>(Some(ballot))?,
        })),
        transfer_leader_reply::Outcome::LogBehind(peer::Matching { up_to }) => {
            Ok(Err(TransferLeaderError::LogNotFlushed {
                expected: asked.last_log_id().copied(),
                actual: up_to.as_ref().map(log_id_from::<R>),
            }))
        }
    }
}

/// A message that cannot be read.
pub(crate) fn malformed(what: &str) -> PeerError {
    PeerError::Malformed(what.to_owned())
}

impl From<PeerError> for io::Error {
    fn from(error: PeerError) -> Self {
        Self::other(error)
    }
}
