//! Commands that other replicas hand to this one as the leader.

use std::pin::Pin;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream;
use openraft::type_config::AsyncRuntime;
use zephyrfs_core::engine::EngineError;
use zephyrfs_core::units::AppliedIndex;
use zephyrfs_proto::peer::forwarded_outcome::Outcome;
use zephyrfs_proto::peer::{ForwardReply, ForwardRequest, ForwardedCommand, ForwardedOutcome};

use super::batches::batches;
use super::{Attempt, unreadable};
use crate::disk::Disk;
use crate::engine::RaftEngine;
use crate::peers::{PeerError, Replies, Requests};
use crate::recent::Decision;
use crate::types::LogCommand;

/// Commands of one replica that may be on their way at once. Further ones wait in its stream.
const IN_FLIGHT: usize = 4_096;

impl<R: AsyncRuntime, D: Disk> RaftEngine<R, D> {
    /// Has the commands of a stream decided, and answers each as soon as it is.
    ///
    /// # Errors
    /// If the first of them are not meant for this replica: then no command was taken.
    pub(in crate::engine) async fn take_forwarded(
        self: &Arc<Self>,
        requests: Requests<ForwardRequest>,
    ) -> Result<Replies<ForwardReply>, PeerError> {
        let mut requests = requests.peekable();
        if let Some(first) = Pin::new(&mut requests).peek().await {
            self.whoami.check(first.route.as_ref())?;
        }
        let engine = Arc::clone(self);
        let whoami = Arc::clone(&self.whoami);
        let commands = requests
            .scan((), move |(), request| {
                let checked = whoami.check(request.route.as_ref());
                std::future::ready(checked.ok().map(|_| request))
            })
            .flat_map(|ForwardRequest { term, commands, .. }| {
                stream::iter(commands).map(move |command| (term, command))
            });
        let outcomes = commands
            .map(move |(term, command)| {
                let engine = Arc::clone(&engine);
                async move { engine.take_one(term, command).await }
            })
            .buffer_unordered(IN_FLIGHT);
        let replies =
            batches(Box::pin(outcomes), size).map(|outcomes| Ok::<_, PeerError>(ForwardReply { outcomes }));
        Ok(Box::pin(replies))
    }

    async fn take_one(&self, term: u64, command: ForwardedCommand) -> ForwardedOutcome {
        let ForwardedCommand {
            number,
            proposal: encoded,
            sent_before,
        } = command;
        let attempt = match (self.admit(encoded.len()), LogCommand::decode_proposal(&encoded)) {
            (Err(error), _) => Attempt::Refused(error),
            (Ok(_), Err(error)) => Attempt::Refused(unreadable(&error)),
            (Ok(admitted), Ok(proposal)) => {
                self.take(proposal, &encoded, term, sent_before, Arc::new(admitted))
                    .await
            }
        };
        ForwardedOutcome {
            number,
            outcome: Some(outcome(attempt)),
        }
    }
}

fn outcome(attempt: Attempt) -> Outcome {
    match attempt {
        Attempt::Decided(decision) => match encode_decision(&decision) {
            Ok(bytes) => Outcome::Decided(bytes),
            Err(error) => Outcome::Lost(format!("the answer cannot be encoded: {error}")),
        },
        Attempt::NotTaken => Outcome::NotLeader("this replica does not lead in that term".to_owned()),
        Attempt::Lost(reason) => Outcome::Lost(reason),
        Attempt::Refused(EngineError::Overloaded { reason }) => Outcome::Overloaded(reason),
        // Nothing happened: another leader may take it.
        Attempt::Refused(EngineError::Unavailable { reason }) => Outcome::NotLeader(reason),
        Attempt::Refused(EngineError::UnknownOutcome { reason }) => Outcome::Unknown(reason),
        Attempt::Refused(EngineError::TimedOut { reason }) => Outcome::Lost(reason),
        Attempt::Refused(EngineError::Failed { reason }) => Outcome::Failed(reason),
        Attempt::Refused(EngineError::Rejected { rejection, .. }) => Outcome::Failed(rejection.to_string()),
    }
}

fn size(outcome: &ForwardedOutcome) -> usize {
    match &outcome.outcome {
        Some(Outcome::Decided(bytes)) => bytes.len(),
        Some(
            Outcome::NotLeader(reason)
            | Outcome::Overloaded(reason)
            | Outcome::Lost(reason)
            | Outcome::Unknown(reason)
            | Outcome::Failed(reason),
        ) => reason.len(),
        None => 0,
    }
}

fn encode_decision(decision: &Decision) -> Result<Vec<u8>, bincode::error::EncodeError> {
    let Decision { index, result } = decision;
    bincode::serde::encode_to_vec((index.get(), result), bincode::config::standard())
}

pub(super) fn decode_decision(bytes: &[u8]) -> Result<Decision, bincode::error::DecodeError> {
    let ((index, result), _) = bincode::serde::decode_from_slice(bytes, bincode::config::standard())?;
    Ok(Decision {
        index: AppliedIndex::new(index),
        result,
    })
}
