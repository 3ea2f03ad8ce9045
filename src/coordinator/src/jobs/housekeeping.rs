//! Forgets what has expired, and finishes what large deletions left behind. Chunks that no file holds any more are for repair
//! to delete, at its pace.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::runner::{Job, JobError};
use crate::service::Service;

/// Forgets remembered answers whose time is over.
pub struct Housekeeping {
    service: Arc<Service>,
    interval: Duration,
}

impl Housekeeping {
    /// Runs at an interval.
    pub fn new(service: Arc<Service>, interval: Duration) -> Self {
        Self { service, interval }
    }
}

#[async_trait]
impl Job for Housekeeping {
    fn name(&self) -> &'static str {
        "housekeeping"
    }

    fn interval(&self) -> Duration {
        self.interval
    }

    async fn run(&mut self, _led_for: Duration) -> Result<(), JobError> {
        let requests = self.service.forget_expired().await?;
        if requests > 0 {
            tracing::info!(requests, "Forgot answers whose time was over");
        }
        Ok(())
    }
}

/// Finishes releasing the chunks of large files that were deleted or replaced.
pub struct Releases {
    service: Arc<Service>,
}

impl Releases {
    /// Looks for unfinished releases every second.
    pub fn new(service: Arc<Service>) -> Self {
        Self { service }
    }
}

#[async_trait]
impl Job for Releases {
    fn name(&self) -> &'static str {
        "release of chunks"
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(1)
    }

    async fn run(&mut self, _led_for: Duration) -> Result<(), JobError> {
        self.service.finish_releases().await?;
        Ok(())
    }
}
