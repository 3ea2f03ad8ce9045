//! Jobs run on the replica that leads, and nowhere else.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};
use zephyrfs_coordinator::jobs::{Job, JobError, Jobs};

use crate::part::Part;

/// Ends when it is told to, and says that it began, and that it was dropped.
struct Endless(mpsc::UnboundedSender<CancellationToken>);

#[async_trait]
impl Job for Endless {
    fn name(&self) -> &'static str {
        "endless"
    }

    fn interval(&self) -> Duration {
        Duration::from_millis(1)
    }

    async fn run(&mut self, _led_for: Duration) -> Result<(), JobError> {
        let ended = CancellationToken::new();
        let _ended: DropGuard = ended.clone().drop_guard();
        self.0.send(ended).unwrap();
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_job_ends_with_the_leadership_and_begins_with_the_next() {
    let part = Arc::new(Part::following());
    let stop = CancellationToken::new();
    let jobs = Jobs::new(Arc::<Part>::clone(&part), stop.clone());
    let (begun, mut begins) = mpsc::unbounded_channel();
    jobs.start(Endless(begun));
    part.play(|script| script.leader = Some("a"));
    let first = begins.recv().await.unwrap();
    part.play(|script| script.leader = Some("b"));
    first.cancelled().await;
    part.play(|script| {
        script.leader = Some("a");
        script.term += 1;
    });
    let second = begins.recv().await.unwrap();
    part.play(|script| script.term += 1);
    second.cancelled().await;
    let third = begins.recv().await.unwrap();
    stop.cancel();
    jobs.ended().await;
    assert!(third.is_cancelled());
}
