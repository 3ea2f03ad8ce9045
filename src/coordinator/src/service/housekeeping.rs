//! One round of housekeeping: answers that have expired are forgotten, and what was left unfinished is finished.
//!
//! Everything is proposed with its condition inside the command, so two rounds at once, or one on a replica
//! that is behind, do no harm. Called on demand here, and at intervals by whoever is given the service.

use std::sync::Arc;

use zephyrfs_core::command::{ForgetExpired, PAGE, ReleaseChunks};
use zephyrfs_core::engine::{At, EngineError};
use zephyrfs_core::id::RequestId;
use zephyrfs_core::units::AppliedIndex;
use zephyrfs_core::{Command, Engine, Proposal, Rejection, Response};

use super::deadline::PATIENCE;
use super::engine_error::{translate, wrong_answer};
use super::error::ServiceError;
use super::ids::IdSource;
use super::state::Service;

/// What a round got rid of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reclaimed {
    /// Remembered answers whose time was over.
    pub requests: u64,
    /// Chunks that no file and no node held any more.
    pub chunks: u64,
    /// Deleted or replaced files whose last chunks were released.
    pub releases: u64,
    /// Whether chunks were left alone because repair is stopped: very many nodes fell silent together.
    pub keeps_chunks: bool,
}

impl Service {
    /// Forgets remembered answers whose time is over, and releases what large deletions left behind. Answers how many answers
    /// it forgot.
    ///
    /// # Errors
    /// [`ServiceError`]; what is left is taken up again by the next call.
    pub async fn forget_expired(&self) -> Result<u64, ServiceError> {
        Ok(Round::run(&self.engine, &self.ids).await?.value.requests)
    }

    /// Releases what large deletions left behind.
    ///
    /// # Errors
    /// [`ServiceError`]; what is left is taken up again by the next call.
    pub async fn finish_releases(&self) -> Result<(), ServiceError> {
        Round::begin(&self.engine, &self.ids).finish_releases().await
    }
}

/// A round in progress.
pub(super) struct Round<'a> {
    engine: &'a Arc<dyn Engine>,
    ids: &'a IdSource,
    reclaimed: Reclaimed,
    index: AppliedIndex,
}

impl<'a> Round<'a> {
    fn begin(engine: &'a Arc<dyn Engine>, ids: &'a IdSource) -> Self {
        Self {
            engine,
            ids,
            reclaimed: Reclaimed::default(),
            index: engine.totals().index,
        }
    }

    /// Runs a round.
    pub(super) async fn run(
        engine: &'a Arc<dyn Engine>,
        ids: &'a IdSource,
    ) -> Result<At<Reclaimed>, ServiceError> {
        let mut round = Self::begin(engine, ids);
        round.forget_requests().await?;
        round.finish_releases().await?;
        Ok(At {
            index: round.index,
            value: round.reclaimed,
        })
    }

    async fn forget_requests(&mut self) -> Result<(), ServiceError> {
        let mut after = None;
        loop {
            let page = self.engine.requests(after, PAGE).await.map_err(unkeyed)?;
            let now = self.engine.now();
            let expired = page
                .items
                .into_iter()
                .filter(|(_, request)| request.expires_at <= now);
            self.forget(ForgetExpired {
                requests: expired.map(|(key, _)| key).collect(),
            })
            .await?;
            match page.next {
                Some(last) => after = Some(last),
                None => return Ok(()),
            }
        }
    }

    async fn forget(&mut self, expired: ForgetExpired) -> Result<(), ServiceError> {
        if expired.requests.is_empty() {
            return Ok(());
        }
        let answer = self
            .execute(Command::ForgetExpired(expired))
            .await
            .map_err(unkeyed)?;
        let Response::Forgotten { requests } = answer else {
            return Err(wrong_answer("forget_expired"));
        };
        self.reclaimed.requests += requests;
        Ok(())
    }

    async fn finish_releases(&mut self) -> Result<(), ServiceError> {
        for release in self.engine.releases(PAGE).await.map_err(unkeyed)? {
            self.finish_release(release).await?;
        }
        Ok(())
    }

    async fn finish_release(&mut self, release: RequestId) -> Result<(), ServiceError> {
        loop {
            let result = self
                .execute(Command::ReleaseChunks(ReleaseChunks { release }))
                .await;
            if let Err(EngineError::Rejected {
                rejection: Rejection::ReleaseFinished,
                ..
            }) = result
            {
                // Another round was faster.
                return Ok(());
            }
            let Response::ChunksReleased { left } = result.map_err(unkeyed)? else {
                return Err(wrong_answer("release_chunks"));
            };
            if left == 0 {
                self.reclaimed.releases += 1;
                return Ok(());
            }
        }
    }

    async fn execute(&mut self, command: Command) -> Result<Response, EngineError> {
        let proposal = Proposal {
            id: self.ids.request(),
            idempotency: None,
            command,
        };
        let answer = self.engine.execute(proposal, PATIENCE).await?;
        self.index = self.index.max(answer.index);
        Ok(answer.value)
    }
}

fn unkeyed(error: EngineError) -> ServiceError {
    translate(error, false)
}
