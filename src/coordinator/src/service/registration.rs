//! A file on its way in: nodes are chosen for its chunks, and the choice is proposed together with the file.
//!
//! The choice rests on a picture of the nodes that may be a second old. If it turns out not to hold, the
//! nodes are read anew and chosen again.

use std::collections::BTreeSet;
use std::time::Instant;

use tracing::debug;
use zephyrfs_core::command::{ChunkPlan, RegisterFile};
use zephyrfs_core::engine::{At, Freshness};
use zephyrfs_core::id::{ChunkId, NodeId};
use zephyrfs_core::row::{ChunkRow, Fingerprint};
use zephyrfs_core::units::ByteSize;
use zephyrfs_core::{Command, Idempotency, Placement, ReadSet, Rejection, Response};

use super::engine_error::{broken_state, wrong_answer};
use super::error::{InvalidField, ServiceError};
use super::fingerprint::Fingerprinter;
use super::freshness::local;
use super::picture::Picture;
use super::placing::Placing;
use super::request::{FileRegistration, RequestContext};
use super::state::Service;
use super::validate::{self, ValidFile};

/// How often nodes are chosen before the network counts as full.
const MAX_TRIES: u32 = 3;

/// What is known of a file's chunks before it is registered.
struct Known {
    /// Those that are known: they need no space that is not taken.
    chunks: BTreeSet<ChunkId>,
    /// How many nodes are to drop an old copy of one of them, at most: these cannot take a new one.
    deleting: usize,
}

/// Where a registered file's chunks go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredFile {
    /// By ascending index.
    pub placements: Vec<Placement>,
    /// The replicas wanted for each chunk.
    pub wanted: u32,
}

impl Service {
    /// Registers a file and chooses nodes for its chunks.
    ///
    /// # Errors
    /// [`ServiceError`]; `Rejected` with `NoRoom` if some chunk finds no node, `Conflict` if a chunk's id is
    /// in use for other content.
    pub async fn register_file(
        &self,
        registration: FileRegistration,
        context: RequestContext,
    ) -> Result<At<RegisteredFile>, ServiceError> {
        let file = validate::file(&self.limits, registration)?;
        let idempotency = self.idempotency(&context, fingerprint_of(&file))?;
        let known = self.known_chunks(&file, context.deadline).await?;
        let mut nodes = self.nodes_to_place_on(context.deadline).await?;
        let mut tries = 1;
        loop {
            let result = self
                .try_to_register(&file, &known, &nodes, idempotency.clone(), context.deadline)
                .await;
            if tries == MAX_TRIES || !is_worth_another_choice(&result, tries > 1) {
                return self.as_clients_see_it(&file, result, context.deadline).await;
            }
            debug!(file_id = %file.id, tries, "Choosing nodes for a file again");
            nodes = self
                .nodes_read_anew(Freshness::default(), context.deadline)
                .await?;
            tries += 1;
        }
    }

    async fn try_to_register(
        &self,
        file: &ValidFile,
        known: &Known,
        nodes: &Picture,
        idempotency: Option<Idempotency>,
        deadline: Option<Instant>,
    ) -> Result<At<RegisteredFile>, ServiceError> {
        let sizes: Vec<_> = file.chunks.iter().map(|chunk| chunk.size).collect();
        let new_bytes: Vec<_> = file
            .chunks
            .iter()
            .map(|chunk| {
                if known.chunks.contains(&chunk.id) {
                    ByteSize::ZERO
                } else {
                    chunk.size
                }
            })
            .collect();
        // Nothing is refused here for want of room: the file may be registered already, and then needs none.
        let Placing { plan, promised } = self.plan(nodes, &sizes, &new_bytes, known.deleting);
        let command = Command::RegisterFile(RegisterFile {
            file: file.id.clone(),
            name: file.name.clone(),
            size: file.size,
            hash: file.hash.clone(),
            owner: file.owner.clone(),
            chunks: chunk_plans(file, plan.targets),
            nodes: plan.nodes,
            wanted: self.policy.replication_factor,
            max_replicas: self.policy.max_nodes_per_chunk,
            task_time: self.task_time(),
        });
        let result = self.propose(command, idempotency, deadline).await;
        // Where the outcome is unknown, the space may be taken.
        if !matches!(result, Ok(_) | Err(ServiceError::UnknownOutcome { .. })) {
            self.take_back(&promised);
        }
        let At { index, value } = result?;
        let Response::FileRegistered { placements, wanted } = value else {
            return Err(wrong_answer("register_file"));
        };
        let value = RegisteredFile { placements, wanted };
        Ok(At { index, value })
    }

    /// What is known of the file's chunks already.
    async fn known_chunks(&self, file: &ValidFile, deadline: Option<Instant>) -> Result<Known, ServiceError> {
        let reads = ReadSet {
            chunks: file.chunks.iter().map(|chunk| chunk.id.clone()).collect(),
            ..ReadSet::default()
        };
        let view = self
            .read("the file's chunks", deadline, self.engine.view(reads, local()))
            .await?;
        let chunks = view.value.chunks;
        let deleting = |chunk: &ChunkRow| chunk.replicas.len() - chunk.copies();
        Ok(Known {
            deleting: chunks.values().map(deleting).max().unwrap_or_default(),
            chunks: chunks.into_keys().collect(),
        })
    }

    /// A refusal in terms of the client's request.
    async fn as_clients_see_it(
        &self,
        file: &ValidFile,
        result: Result<At<RegisteredFile>, ServiceError>,
        deadline: Option<Instant>,
    ) -> Result<At<RegisteredFile>, ServiceError> {
        let Err(ServiceError::Rejected { rejection, index }) = result else {
            return result;
        };
        let problem = rejection.to_string();
        Err(match rejection {
            Rejection::ChunkConflict { chunk, .. } => ServiceError::Conflict {
                field: InvalidField::new(self.field_in_conflict(file, &chunk, deadline).await?, problem),
                index,
            },
            // The nodes went away as fast as they were chosen.
            Rejection::PlacementStale { chunk } => {
                let size = file.chunk(&chunk).map_or(ByteSize::ZERO, |chunk| chunk.size);
                let rejection = Rejection::NoRoom { chunk, size };
                ServiceError::Rejected { rejection, index }
            }
            rejection => ServiceError::Rejected { rejection, index },
        })
    }

    /// Which field of the request contradicts what is known of a chunk.
    async fn field_in_conflict(
        &self,
        file: &ValidFile,
        id: &ChunkId,
        deadline: Option<Instant>,
    ) -> Result<String, ServiceError> {
        let Some(described) = file.chunk(id) else {
            return Err(broken_state(&format!(
                "chunk {id} is in conflict with a file that does not name it"
            )));
        };
        let reads = ReadSet {
            chunks: vec![id.clone()],
            ..ReadSet::default()
        };
        let view = self.engine.view(reads, Freshness::default());
        let view = self.read("the chunk in conflict", deadline, view).await?.value;
        let has_the_same_hash = view
            .chunks
            .get(id)
            .is_some_and(|chunk| chunk.hash == described.hash);
        let name = if has_the_same_hash { "size" } else { "hash" };
        Ok(format!("chunks[{}].{name}", described.position))
    }
}

/// Whether choosing nodes again may do better. `was_read_anew` is whether the nodes were read for this very
/// choice.
fn is_worth_another_choice(result: &Result<At<RegisteredFile>, ServiceError>, was_read_anew: bool) -> bool {
    let Err(ServiceError::Rejected { rejection, .. }) = result else {
        return false;
    };
    match rejection {
        Rejection::PlacementStale { .. } | Rejection::ChunkBeingDeleted { .. } => true,
        // No room among the nodes as they were a moment ago may be some among those of now.
        Rejection::NoRoom { .. } => !was_read_anew,
        Rejection::NodeNotFound { .. }
        | Rejection::NodeRemoved { .. }
        | Rejection::FileNotFound { .. }
        | Rejection::ChunkNotFound { .. }
        | Rejection::ChunkConflict { .. }
        | Rejection::DuplicateChunk { .. }
        | Rejection::TooManyReplicas { .. }
        | Rejection::IdempotencyKeyReused { .. }
        | Rejection::ReleaseFinished
        | Rejection::CopyBeingDeleted { .. }
        | Rejection::NotDraining { .. }
        | Rejection::NodeDrained { .. } => false,
    }
}

fn chunk_plans(file: &ValidFile, targets: Vec<Vec<u32>>) -> Vec<ChunkPlan> {
    file.chunks
        .iter()
        .zip(targets)
        .map(|(chunk, targets)| ChunkPlan {
            id: chunk.id.clone(),
            hash: chunk.hash.clone(),
            size: chunk.size,
            index: chunk.index,
            targets,
        })
        .collect()
}

fn fingerprint_of(file: &ValidFile) -> Fingerprint {
    let ValidFile {
        id,
        name,
        size,
        hash,
        owner,
        chunks,
    } = file;
    Fingerprinter::of("register_file")
        .text(id.as_str())
        .text(name)
        .number(size.get())
        .text(hash.as_str())
        .text(owner.as_ref().map_or("", NodeId::as_str))
        .list(chunks, |print, chunk| {
            print
                .text(chunk.id.as_str())
                .text(chunk.hash.as_str())
                .number(chunk.size.get())
                .number(u64::from(chunk.index))
        })
        .finish()
}
