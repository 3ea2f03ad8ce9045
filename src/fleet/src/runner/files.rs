//! Clients that register new files, and the upload of their chunks to the nodes that the coordinator chose.
//!
//! Each target of the reply gets the chunk as if it had been uploaded, and confirms it for itself, as real
//! nodes do; or one call confirms it for all, where many chunks are to be there soon.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytesize::ByteSize;
use futures::future::join_all;
use tokio_util::sync::CancellationToken;
use zephyrfs_proto::coordinator::{
    ChunkMetadata, ChunkPlacement, RegisterFileRequest, RegisterFileResponse, UpdateChunkLocationsRequest,
};

use crate::chunk_id::ChunkId;
use crate::client::error::{CallError, WriteError};
use crate::client::{Coordinator, IdempotencyKey};
use crate::content::{FileFactory, FileShape};
use crate::fleet::Fleet;
use crate::layout::NodeIndex;
use crate::measure::counters::Counters;
use crate::node::Receipt;
use crate::operation::Operation;
use crate::runner::pacer::Pacer;
use crate::verify::ChunkSample;

/// What the file clients share.
#[derive(Debug)]
pub struct FileLoad {
    /// Who stores.
    pub fleet: Arc<Fleet>,
    /// Who places.
    pub coordinator: Arc<Coordinator>,
    /// What was done.
    pub counters: Arc<Counters>,
    /// Chunks to be verified later.
    pub sample: Arc<ChunkSample>,
    /// When files are registered, and how many.
    pub pacer: Pacer,
    /// Which files.
    pub shape: FileShape,
    /// Who says that a chunk was stored.
    pub confirmation: ConfirmedBy,
    /// Fixes the files.
    pub seed: u64,
    /// Tells these files from those of other loads with the same seed: the first client's number.
    pub first_client: u64,
    /// How long a write is tried again.
    pub patience: Duration,
    /// When nothing new is to be begun.
    pub stop: CancellationToken,
}

/// Who says that a chunk was stored on its nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfirmedBy {
    /// Every node for itself.
    EachNode,
    /// The client, for all of them at once.
    Client,
}

impl FileLoad {
    /// `clients` clients at work, until all files are registered or `stop`.
    pub async fn run(&self, clients: usize) {
        let numbers = (0..clients).map(|client| self.first_client + client as u64);
        join_all(numbers.map(|client| self.client(client))).await;
    }

    async fn client(&self, stream: u64) {
        let mut factory = FileFactory::new(self.shape, self.seed, stream);
        while !self.stop.is_cancelled() {
            let Some(slot) = self.pacer.slot(Instant::now()) else {
                return;
            };
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep_until(slot.into()) => {}
            }
            let owner = NodeIndex(factory.pick(self.fleet.len()));
            let file = factory.file(&self.fleet.profile(owner).id);
            self.register(file).await;
        }
    }

    async fn register(&self, file: RegisterFileRequest) {
        let key = IdempotencyKey::random();
        let chunks = file.chunks.clone();
        let result = self
            .coordinator
            .write(file, Some(&key), self.patience, &self.stop)
            .await;
        match result.and_then(|reply| self.check(&chunks, reply)) {
            Ok(placements) => {
                self.counters.files_registered.count();
                self.upload_all(&chunks, &placements).await;
            }
            Err(WriteError::Definite(_) | WriteError::GivenUp(_)) => {
                self.counters.files_failed.count();
                self.counters.definite_failures.count();
            }
            // Never acknowledged, so nothing is owed.
            Err(WriteError::Stopped(_)) => {}
        }
    }

    fn check(
        &self,
        chunks: &[ChunkMetadata],
        reply: RegisterFileResponse,
    ) -> Result<Vec<ChunkPlacement>, WriteError> {
        match objection(chunks, &reply.chunk_placements) {
            None => Ok(reply.chunk_placements),
            Some(message) => {
                let error = CallError::BadReply {
                    operation: Operation::RegisterFile,
                    message,
                };
                self.coordinator.record(&error);
                Err(WriteError::Definite(error))
            }
        }
    }

    async fn upload_all(&self, chunks: &[ChunkMetadata], placements: &[ChunkPlacement]) {
        let mut complete = true;
        for (chunk, placement) in chunks.iter().zip(placements) {
            let size = ByteSize::b(u64::try_from(chunk.size).unwrap_or_default());
            let id = ChunkId::from(chunk.chunk_id.as_str());
            if self.upload(&id, size, &placement.target_nodes).await {
                self.sample.offer(&id);
            } else {
                complete = false;
            }
        }
        if complete {
            self.counters.files_confirmed.count();
        } else if !self.stop.is_cancelled() {
            self.counters.files_incomplete.count();
        }
    }

    /// Whether at least one node has the chunk and said so.
    async fn upload(&self, chunk: &ChunkId, size: ByteSize, targets: &[String]) -> bool {
        let holders: Vec<&String> = targets
            .iter()
            .filter(|target| self.fleet.upload(target, chunk, size) == Some(Receipt::Stored))
            .collect();
        self.counters.chunks_uploaded.add(holders.len() as u64);
        let holders: Vec<Vec<String>> = match self.confirmation {
            _ if holders.is_empty() => return false,
            ConfirmedBy::EachNode => holders.into_iter().map(|holder| vec![holder.clone()]).collect(),
            ConfirmedBy::Client => vec![holders.into_iter().cloned().collect()],
        };
        let confirmed = join_all(holders.into_iter().map(|holders| self.confirm(chunk, holders))).await;
        confirmed.contains(&true)
    }

    async fn confirm(&self, chunk: &ChunkId, holders: Vec<String>) -> bool {
        let request = UpdateChunkLocationsRequest {
            chunk_id: chunk.to_string(),
            node_ids: holders,
            operation: "add".to_owned(),
        };
        let key = IdempotencyKey::random();
        match self
            .coordinator
            .write(request, Some(&key), self.patience, &self.stop)
            .await
        {
            Ok(_) => true,
            Err(WriteError::Definite(_) | WriteError::GivenUp(_)) => {
                self.counters.definite_failures.count();
                false
            }
            Err(WriteError::Stopped(_)) => false,
        }
    }
}

/// What is wrong with the placements of a file: they come in chunk order, each on distinct nodes.
fn objection(chunks: &[ChunkMetadata], placements: &[ChunkPlacement]) -> Option<String> {
    if placements.len() != chunks.len() {
        return Some(format!(
            "{} chunks have {} placements",
            chunks.len(),
            placements.len()
        ));
    }
    chunks.iter().zip(placements).find_map(|(chunk, placement)| {
        if chunk.chunk_id != placement.chunk_id {
            return Some(format!(
                "placement of chunk {} where {} was expected",
                placement.chunk_id, chunk.chunk_id
            ));
        }
        let mut seen = HashSet::new();
        let twice = placement
            .target_nodes
            .iter()
            .find(|target| !seen.insert(target.as_str()))?;
        Some(format!("chunk {} is placed on {twice} twice", chunk.chunk_id))
    })
}

#[cfg(test)]
mod tests {
    use zephyrfs_proto::coordinator::{ChunkMetadata, ChunkPlacement};

    use super::objection;

    fn chunk(id: &str) -> ChunkMetadata {
        ChunkMetadata {
            chunk_id: id.to_owned(),
            hash: id.to_owned(),
            size: 1,
            index: 0,
        }
    }

    fn placement(id: &str, targets: &[&str]) -> ChunkPlacement {
        let target_nodes = targets.iter().map(|target| (*target).to_owned()).collect();
        ChunkPlacement {
            chunk_id: id.to_owned(),
            target_nodes,
            replication_factor: 3,
        }
    }

    #[test]
    fn placements_must_fit_the_chunks() {
        let chunks = [chunk("a"), chunk("b")];
        let (a, b) = (placement("a", &["n1", "n2"]), placement("b", &["n2"]));
        assert_eq!(objection(&chunks, &[a.clone(), b.clone()]), None);
        assert!(objection(&chunks, &[b, a.clone()]).is_some_and(|text| text.contains("expected")));
        assert!(
            objection(&chunks, std::slice::from_ref(&a)).is_some_and(|text| text.contains("1 placements"))
        );
        let doubled = placement("b", &["n1", "n1"]);
        assert!(objection(&chunks, &[a, doubled]).is_some_and(|text| text.contains("n1 twice")));
    }
}
