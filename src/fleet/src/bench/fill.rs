//! How long does it take to register so many chunks? Also the way to a large state for other measurements.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::bench::error::BenchError;
use crate::bench::load::Tally;
use crate::bench::registrar::Registrar;
use crate::bench::stage::Stage;
use crate::cli::bench::FillArgs;
use crate::client::error::WriteError;
use crate::content::FileFactory;
use crate::layout::NodeIndex;
use crate::report::bench::{BenchReport, Setting};
use crate::shutdown::Shutdown;

struct Client {
    registrar: Registrar,
    factory: FileFactory,
    owner: String,
    remaining: Arc<AtomicU64>,
    chunks: usize,
    confirm: bool,
    stop: CancellationToken,
}

pub(super) async fn run(
    args: &FillArgs,
    setting: Setting,
    stage: &Stage,
    shutdown: &Shutdown,
) -> Result<BenchReport, BenchError> {
    let remaining = Arc::new(AtomicU64::new(args.chunks_total));
    let stop = shutdown.finish.child_token();
    let begin = Instant::now();
    stage.enter("filling");
    let mut running = JoinSet::new();
    for number in 0..setting.clients {
        let owner = NodeIndex(number % stage.fleet.len());
        let client = Client {
            registrar: Registrar {
                coordinator: Arc::clone(&stage.coordinator),
                idempotency_keys: args.load.idempotency_keys,
                patience: args.give_up_after,
                stop: stop.clone(),
            },
            factory: FileFactory::new(args.shape.file_shape(), setting.seed, number as u64),
            owner: stage.fleet.profile(owner).id.clone(),
            remaining: Arc::clone(&remaining),
            chunks: args.shape.chunks_per_file,
            confirm: args.confirm,
            stop: stop.clone(),
        };
        running.spawn(client.fill());
    }
    let (mut total, mut registered) = (Tally::default(), 0);
    while let Some(result) = running.join_next().await {
        let (tally, chunks) = result?;
        total.latencies.merge(&tally.latencies);
        total.errors.merge(&tally.errors);
        registered += chunks;
    }
    let mut report = BenchReport::new(
        setting,
        begin.elapsed(),
        &total.latencies,
        &total.errors,
        Some(registered),
    );
    // Cut short, there is less than was asked for.
    report.ok &= registered == args.chunks_total;
    Ok(report)
}

impl Client {
    /// Registers files until the total is reached. A definite failure ends it for all clients: it would
    /// repeat itself.
    async fn fill(mut self) -> (Tally, u64) {
        let (mut tally, mut registered) = (Tally::default(), 0);
        while let Some(chunks) = self.take() {
            match self.one(chunks, &mut tally).await {
                Ok(()) => registered += chunks as u64,
                Err(WriteError::Definite(error) | WriteError::GivenUp(error)) => {
                    tally
                        .errors
                        .record(error.operation(), error.kind(), &error.to_string());
                    self.stop.cancel();
                }
                Err(WriteError::Stopped(_)) => {}
            }
        }
        (tally, registered)
    }

    /// How many chunks the next file has; the last file may be smaller.
    fn take(&self) -> Option<usize> {
        if self.stop.is_cancelled() {
            return None;
        }
        let chunks = self.chunks as u64;
        let before = self
            .remaining
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                (left > 0).then(|| left.saturating_sub(chunks))
            })
            .ok()?;
        Some(usize::try_from(before.min(chunks)).unwrap_or(self.chunks))
    }

    async fn one(&mut self, chunks: usize, tally: &mut Tally) -> Result<(), WriteError> {
        let file = self.factory.file_of(chunks, &self.owner);
        let begin = Instant::now();
        let placements = self.registrar.register(file).await?;
        tally.latencies.record(begin.elapsed());
        if self.confirm {
            for placement in placements {
                self.registrar.confirm(placement).await?;
            }
        }
        Ok(())
    }
}
