//! Read rounds: one question to the leader for all reads that wait for it.
//!
//! A read may use any round that began after the read did. One round is under way at a time, and all reads that come
//! meanwhile share the next one.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use openraft::type_config::AsyncRuntime;
use zephyrfs_core::engine::EngineError;

/// What a round said.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Round<I> {
    /// When it began: the state up to `index` holds everything that was acknowledged before.
    pub(in crate::engine) began: I,
    /// The index.
    pub(in crate::engine) index: u64,
}

type Outcome<I> = Result<Round<I>, EngineError>;

/// The rounds of a replica.
pub(in crate::engine) struct Rounds<R: AsyncRuntime>(Mutex<State<R>>);

struct State<R: AsyncRuntime> {
    latest: Option<Latest<R::Instant>>,
    succeeded: Option<Round<R::Instant>>,
}

struct Latest<I> {
    has_begun: Arc<AtomicBool>,
    outcome: Shared<BoxFuture<'static, Outcome<I>>>,
}

impl<R: AsyncRuntime> Default for Rounds<R> {
    fn default() -> Self {
        Self(Mutex::new(State {
            latest: None,
            succeeded: None,
        }))
    }
}

impl<R: AsyncRuntime> Rounds<R> {
    /// Takes part in the next round, which `ask` makes.
    pub(in crate::engine) async fn next(
        &self,
        ask: impl Future<Output = Result<u64, EngineError>> + Send + 'static,
    ) -> Outcome<R::Instant>
    where
        R::Instant: Sync,
    {
        let outcome = self.join(ask).await;
        if let Ok(round) = &outcome {
            self.succeeded(*round);
        }
        outcome
    }

    fn join(
        &self,
        ask: impl Future<Output = Result<u64, EngineError>> + Send + 'static,
    ) -> Shared<BoxFuture<'static, Outcome<R::Instant>>>
    where
        R::Instant: Sync,
    {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = match &state.latest {
            Some(latest) if !latest.has_begun.load(Ordering::SeqCst) => return latest.outcome.clone(),
            Some(latest) => Some(latest.outcome.clone()),
            None => None,
        };
        let has_begun = Arc::new(AtomicBool::new(false));
        let begin = Arc::clone(&has_begun);
        let outcome = async move {
            if let Some(before) = before {
                // What it said is for others.
                let _ = before.await;
            }
            begin.store(true, Ordering::SeqCst);
            let began = <R::Instant as openraft::Instant>::now();
            Ok(Round {
                began,
                index: ask.await?,
            })
        };
        let outcome = outcome.boxed().shared();
        state.latest = Some(Latest {
            has_begun,
            outcome: outcome.clone(),
        });
        outcome
    }

    fn succeeded(&self, round: Round<R::Instant>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.succeeded.is_none_or(|before| before.began < round.began) {
            state.succeeded = Some(round);
        }
    }

    /// The last round that succeeded.
    pub(in crate::engine) fn last(&self) -> Option<Round<R::Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).succeeded
    }
}
