//! Registers files for a bench, with or without the nodes' confirmation.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use zephyrfs_proto::coordinator::{ChunkPlacement, RegisterFileRequest, UpdateChunkLocationsRequest};

use crate::client::error::WriteError;
use crate::client::rpc::Rpc;
use crate::client::{Coordinator, IdempotencyKey};

/// How files are registered.
#[derive(Clone, Debug)]
pub struct Registrar {
    /// With whom.
    pub coordinator: Arc<Coordinator>,
    /// Whether writes carry a key. Without one they may be retried as well: each has the same effect twice.
    pub idempotency_keys: bool,
    /// How long a write is tried again.
    pub patience: Duration,
    /// When to stop trying.
    pub stop: CancellationToken,
}

impl Registrar {
    /// Registers a file.
    ///
    /// # Errors
    /// When it was refused, failed, or was given up.
    pub async fn register(&self, file: RegisterFileRequest) -> Result<Vec<ChunkPlacement>, WriteError> {
        self.write(file).await.map(|reply| reply.chunk_placements)
    }

    /// Confirms that all targets hold the chunk: in one request, unlike real nodes, to be done sooner.
    ///
    /// # Errors
    /// As for `register`.
    pub async fn confirm(&self, placement: ChunkPlacement) -> Result<(), WriteError> {
        let ChunkPlacement {
            chunk_id,
            target_nodes,
            replication_factor: _,
        } = placement;
        let operation = "add".to_owned();
        let request = UpdateChunkLocationsRequest {
            chunk_id,
            node_ids: target_nodes,
            operation,
        };
        self.write(request).await.map(|_| ())
    }

    async fn write<R: Rpc + Clone>(&self, request: R) -> Result<R::Reply, WriteError> {
        let key = self.idempotency_keys.then(IdempotencyKey::random);
        self.coordinator
            .write(request, key.as_ref(), self.patience, &self.stop)
            .await
    }
}
