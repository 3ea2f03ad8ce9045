//! Keeps chunks alive.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::runner::{Job, JobError};
use crate::service::{Repair as Progress, Service};

/// Gives nodes the tasks that chunks need, and sees to it that they end.
pub struct Repair {
    service: Arc<Service>,
    progress: Progress,
    rests_until: Instant,
}

/// After a round the leader rests as long as the round took, but no longer than this: clients come first.
const LONGEST_REST: Duration = Duration::from_secs(5);

impl Repair {
    /// Looks at a part of all chunks every half second.
    pub fn new(service: Arc<Service>) -> Self {
        Self {
            service,
            progress: Progress::default(),
            rests_until: Instant::now(),
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

    async fn run(&mut self, led_for: Duration) -> Result<(), JobError> {
        let began = Instant::now();
        if began < self.rests_until {
            return Ok(());
        }
        let result = self.service.repair(&mut self.progress, led_for).await;
        let ended = Instant::now();
        self.rests_until = ended + ended.duration_since(began).min(LONGEST_REST);
        Ok(result?)
    }
}
