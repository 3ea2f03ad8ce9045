//! How often can be asked where a chunk is, in a second?

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use zephyrfs_proto::coordinator::FindChunkLocationsRequest;

use crate::bench::error::BenchError;
use crate::bench::load::{LoadClient, closed_loop};
use crate::bench::registrar::Registrar;
use crate::bench::stage::Stage;
use crate::cli::bench::FindChunkArgs;
use crate::client::Coordinator;
use crate::client::error::{CallError, WriteError};
use crate::content::FileFactory;
use crate::layout::NodeIndex;
use crate::operation::Operation;
use crate::report::bench::{BenchReport, Setting};
use crate::shutdown::Shutdown;

/// How long a write of the preparation is tried again.
const PATIENCE: Duration = Duration::from_secs(60);

struct Client {
    coordinator: Arc<Coordinator>,
    chunks: Arc<[String]>,
    rng: SmallRng,
}

impl LoadClient for Client {
    async fn call(&mut self) -> Result<(), CallError> {
        let chunk_id = self.chunks[self.rng.random_range(0..self.chunks.len())].clone();
        let request = FindChunkLocationsRequest {
            chunk_id,
            preferred_count: 0,
        };
        let reply = self
            .coordinator
            .call(request, self.coordinator.first_attempt(), None)
            .await?;
        if reply.node_ids.is_empty() {
            let message = "a stored chunk has no locations".to_owned();
            return Err(CallError::BadReply {
                operation: Operation::FindChunkLocations,
                message,
            });
        }
        Ok(())
    }
}

pub(super) async fn run(
    args: &FindChunkArgs,
    setting: Setting,
    stage: &Stage,
    shutdown: &Shutdown,
) -> Result<BenchReport, BenchError> {
    stage.enter("preparing files");
    let chunks: Arc<[String]> = prepare(args, setting, stage, shutdown).await?.into();
    let client = |number: u64| Client {
        coordinator: Arc::clone(&stage.coordinator),
        chunks: Arc::clone(&chunks),
        rng: SmallRng::seed_from_u64(setting.seed ^ number),
    };
    let clients = (0..setting.clients as u64).map(client).collect();
    stage.enter("asking for chunks");
    let tally = closed_loop(clients, args.window, &shutdown.finish).await?;
    Ok(BenchReport::new(
        setting,
        tally.measured,
        &tally.latencies,
        &tally.errors,
        None,
    ))
}

/// Registers and confirms the files, and gives the ids of their chunks: at least one, as both numbers are
/// above 0.
async fn prepare(
    args: &FindChunkArgs,
    setting: Setting,
    stage: &Stage,
    shutdown: &Shutdown,
) -> Result<Vec<String>, WriteError> {
    let registrar = Registrar {
        coordinator: Arc::clone(&stage.coordinator),
        idempotency_keys: args.load.idempotency_keys,
        patience: PATIENCE,
        stop: shutdown.finish.clone(),
    };
    let mut factory = FileFactory::new(args.shape.file_shape(), setting.seed, 0);
    let owner = &stage.fleet.profile(NodeIndex(0)).id;
    let files = (0..args.prepare).map(|_| factory.file(owner));
    let registered = futures::stream::iter(files).map(|file| async {
        let mut chunks = Vec::with_capacity(file.chunks.len());
        for placement in registrar.register(file).await? {
            chunks.push(placement.chunk_id.clone());
            registrar.confirm(placement).await?;
        }
        Ok::<_, WriteError>(chunks)
    });
    let chunks: Vec<Vec<String>> = registered.buffer_unordered(setting.clients).try_collect().await?;
    Ok(chunks.concat())
}
