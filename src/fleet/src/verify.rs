//! Does the coordinator tell the truth? Asks where acknowledged chunks are, and compares with what the nodes
//! hold.
//!
//! A copy that was just moved may be listed a moment too early or too late, so a wrong answer is asked for
//! again until time is up; nodes go on living meanwhile. A chunk that only failed nodes hold cannot be
//! judged, and is counted apart.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use zephyrfs_proto::coordinator::{FindChunkLocationsRequest, FindChunkLocationsResponse};

use crate::chunk_id::ChunkId;
use crate::client::Coordinator;
use crate::client::error::CallError;
use crate::fleet::{Fleet, Holding};

/// Questions that are asked at the same time.
const QUESTIONS_AT_ONCE: usize = 16;
/// Time between two rounds of questions.
const PAUSE: Duration = Duration::from_millis(500);

/// A fair sample, of fixed size, of all chunks that were acknowledged and confirmed.
#[derive(Debug)]
pub struct ChunkSample(Mutex<Reservoir>);

#[derive(Debug)]
struct Reservoir {
    chunks: Vec<ChunkId>,
    limit: usize,
    seen: u64,
    rng: SmallRng,
}

impl ChunkSample {
    /// A sample of at most `limit` chunks.
    #[must_use]
    pub fn new(limit: usize, seed: u64) -> Self {
        let rng = SmallRng::seed_from_u64(seed);
        ChunkSample(Mutex::new(Reservoir {
            chunks: Vec::new(),
            limit,
            seen: 0,
            rng,
        }))
    }

    /// One more chunk that may be sampled.
    pub fn offer(&self, chunk: &ChunkId) {
        let Reservoir {
            chunks,
            limit,
            seen,
            rng,
        } = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *seen += 1;
        if chunks.len() < *limit {
            chunks.push(chunk.clone());
            return;
        }
        let place = rng.random_range(0..*seen);
        if let Some(kept) = usize::try_from(place)
            .ok()
            .and_then(|place| chunks.get_mut(place))
        {
            *kept = chunk.clone();
        }
    }

    /// The chunks of the sample.
    #[must_use]
    pub fn chunks(&self) -> Vec<ChunkId> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .chunks
            .clone()
    }
}

/// What the verification came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// Chunks that were asked for.
    pub asked: usize,
    /// Right answers.
    pub right: usize,
    /// Answers that list a node with the chunk, and another that was chosen for it and has not got it: by the contract
    /// such nodes are listed from the start.
    pub unfinished: usize,
    /// Chunks that only failed nodes hold, of which the answer proves nothing.
    pub unreachable: usize,
    /// Answers that stayed wrong, or never came.
    pub wrong: Vec<WrongAnswer>,
}

impl Verification {
    /// Whether no answer is wrong, and there were any: no evidence is no success.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.right + self.unfinished > 0 && self.wrong.is_empty()
    }
}

/// A chunk whose locations are wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WrongAnswer {
    /// Which chunk.
    pub chunk_id: String,
    /// What is wrong.
    pub problem: String,
}

enum Verdict {
    Right,
    Unreachable,
    /// It may become right.
    Unfinished,
    /// It may become right as well.
    Wrong(String),
}

/// Asks the coordinator about chunks and judges the answers.
#[derive(Debug)]
pub struct Verifier {
    /// Who knows the truth.
    pub fleet: Arc<Fleet>,
    /// Who is asked.
    pub coordinator: Arc<Coordinator>,
    /// How long an answer may stay wrong.
    pub within: Duration,
}

impl Verifier {
    /// Asks until every answer is right, time is up, or `abandon`.
    pub async fn verify(&self, chunks: Vec<ChunkId>, abandon: &CancellationToken) -> Verification {
        let deadline = Instant::now() + self.within;
        let mut result = Verification {
            asked: chunks.len(),
            ..Verification::default()
        };
        let mut open = chunks;
        loop {
            let verdicts: Vec<(ChunkId, Verdict)> = futures::stream::iter(open)
                .map(|chunk| self.ask(chunk, deadline, abandon))
                .buffer_unordered(QUESTIONS_AT_ONCE)
                .collect()
                .await;
            let (mut unfinished, mut wrong) = (Vec::new(), Vec::new());
            for (chunk, verdict) in verdicts {
                match verdict {
                    Verdict::Right => result.right += 1,
                    Verdict::Unreachable => result.unreachable += 1,
                    Verdict::Unfinished => unfinished.push(chunk),
                    Verdict::Wrong(problem) => wrong.push(WrongAnswer {
                        chunk_id: chunk.to_string(),
                        problem,
                    }),
                }
            }
            let nothing_open = unfinished.is_empty() && wrong.is_empty();
            if nothing_open || Instant::now() + PAUSE > deadline || abandon.is_cancelled() {
                result.unfinished = unfinished.len();
                result.wrong = wrong;
                return result;
            }
            open = unfinished;
            open.extend(wrong.iter().map(|answer| ChunkId::from(answer.chunk_id.as_str())));
            tokio::select! {
                () = abandon.cancelled() => {}
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }

    async fn ask(
        &self,
        chunk: ChunkId,
        deadline: Instant,
        abandon: &CancellationToken,
    ) -> (ChunkId, Verdict) {
        let request = FindChunkLocationsRequest {
            chunk_id: chunk.to_string(),
            preferred_count: 0,
        };
        let call = self
            .coordinator
            .call(request, self.coordinator.first_attempt(), None);
        let answer = tokio::select! {
            answer = call => answer,
            () = tokio::time::sleep_until(deadline.into()) => {
                return (chunk, Verdict::Wrong("no answer in time".to_owned()));
            }
            () = abandon.cancelled() => return (chunk, Verdict::Wrong("not asked: abandoned".to_owned())),
        };
        let verdict = match answer {
            Ok(reply) => self.judge(&chunk, &reply),
            Err(error @ CallError::Refused { .. }) => Verdict::Wrong(format!("it is not found: {error}")),
            Err(error) => Verdict::Wrong(format!("no answer: {error}")),
        };
        (chunk, verdict)
    }

    fn judge(&self, chunk: &ChunkId, reply: &FindChunkLocationsResponse) -> Verdict {
        if reply.node_addresses.len() != reply.node_ids.len() {
            let (ids, addresses) = (reply.node_ids.len(), reply.node_addresses.len());
            return Verdict::Wrong(format!("{ids} nodes are listed with {addresses} addresses"));
        }
        for (position, node) in reply.node_ids.iter().enumerate() {
            if reply.node_ids[..position].contains(node) {
                return Verdict::Wrong(format!("{node} is listed twice"));
            }
        }
        let holdings: Vec<_> = reply
            .node_ids
            .iter()
            .map(|node| self.fleet.holding(node, chunk))
            .collect();
        let first = |holding| holdings.iter().position(|other| *other == holding);
        let listed = holdings
            .iter()
            .any(|holding| matches!(holding, Holding::Holds | Holding::Elsewhere));
        match (first(Holding::Lacks), first(Holding::Awaits)) {
            (Some(liar), _) => {
                Verdict::Wrong(format!("{} is listed and does not hold it", reply.node_ids[liar]))
            }
            (None, None) if listed => Verdict::Right,
            (None, Some(_)) if listed => Verdict::Unfinished,
            (None, _) if self.fleet.is_reachable(chunk) => {
                Verdict::Wrong("no node that holds it is listed, and there are some".to_owned())
            }
            (None, _) => Verdict::Unreachable,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ChunkSample, Verification};
    use crate::chunk_id::ChunkId;

    #[test]
    fn a_sample_is_bounded_and_reaches_over_everything() {
        let sample = ChunkSample::new(100, 1);
        for number in 0_u32..10_000 {
            sample.offer(&ChunkId::from(number.to_string().as_str()));
        }
        let numbers: Vec<u32> = sample
            .chunks()
            .iter()
            .map(|chunk| chunk.to_string().parse().unwrap())
            .collect();
        assert_eq!(numbers.len(), 100);
        let late = numbers.iter().filter(|number| **number >= 5_000).count();
        assert!(
            (25..=75).contains(&late),
            "{late} of 100 are from the second half"
        );
    }

    #[test]
    fn no_evidence_is_no_success() {
        assert!(!Verification::default().passed());
        assert!(
            Verification {
                asked: 1,
                right: 1,
                ..Verification::default()
            }
            .passed()
        );
        assert!(
            !Verification {
                asked: 1,
                unreachable: 1,
                ..Verification::default()
            }
            .passed()
        );
    }
}
