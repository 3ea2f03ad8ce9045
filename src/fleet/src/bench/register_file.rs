//! How many files can be registered in a second?

use std::sync::Arc;

use crate::bench::error::BenchError;
use crate::bench::load::{LoadClient, closed_loop};
use crate::bench::stage::Stage;
use crate::cli::bench::RegisterFileArgs;
use crate::client::error::CallError;
use crate::client::{Coordinator, IdempotencyKey};
use crate::content::FileFactory;
use crate::report::bench::{BenchReport, Setting};
use crate::shutdown::Shutdown;

struct Client {
    coordinator: Arc<Coordinator>,
    factory: FileFactory,
    owner: String,
    idempotency_keys: bool,
}

impl LoadClient for Client {
    async fn call(&mut self) -> Result<(), CallError> {
        let file = self.factory.file(&self.owner);
        let key = self.idempotency_keys.then(IdempotencyKey::random);
        let attempt = self.coordinator.first_attempt();
        self.coordinator
            .call(file, attempt, key.as_ref())
            .await
            .map(|_| ())
    }
}

pub(super) async fn run(
    args: &RegisterFileArgs,
    setting: Setting,
    stage: &Stage,
    shutdown: &Shutdown,
) -> Result<BenchReport, BenchError> {
    let shape = args.shape.file_shape();
    let client = |(number, node)| Client {
        coordinator: Arc::clone(&stage.coordinator),
        factory: FileFactory::new(shape, setting.seed, number),
        owner: stage.fleet.profile(node).id.clone(),
        idempotency_keys: args.load.idempotency_keys,
    };
    let owners = stage.fleet.indexes().collect::<Vec<_>>().into_iter().cycle();
    let clients = (0..setting.clients as u64).zip(owners).map(client).collect();
    stage.enter("registering files");
    let tally = closed_loop(clients, args.window, &shutdown.finish).await?;
    let chunks = tally.latencies.summary().count * args.shape.chunks_per_file as u64;
    Ok(BenchReport::new(
        setting,
        tally.measured,
        &tally.latencies,
        &tally.errors,
        Some(chunks),
    ))
}
