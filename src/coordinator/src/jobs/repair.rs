//! Keeps chunks alive.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::runner::{Job, JobError};
use crate::service::{Repair as Progress, Service};

/// Gives nodes the tasks that chunks need, and sees to it that they end.
pub struct Repair {
    service: Arc<Service>,
    progress: Progress,
}

impl Repair {
    /// Looks at a part of all chunks every half second.
    pub fn new(service: Arc<Service>) -> Self {
        Self {
            service,
            progress: Progress::default(),
        }
    }
}

#[async_trait]
impl Job for Repair {
    fn name(&self) -> &'static str {
        "repair"
    }

    fn interval(&self) -> Duration {
        Duration::from_millis(500)
    }

    async fn run(&mut self, _led_for: Duration) -> Result<(), JobError> {
        self.service.repair(&mut self.progress).await?;
        Ok(())
    }
}
