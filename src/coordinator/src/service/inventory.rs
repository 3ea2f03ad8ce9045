//! Inventories: a node says which chunks it found on its disks, page by page, and what differs from what is known is
//! recorded.
//!
//! What the node has is compared as the pages come in. What it lacks is known only at the end: then all chunks are looked
//! at once, on this replica. Of the chunks named only a short digest is kept, and few inventories are taken at a time, so
//! that memory is bounded. Two chunks with the same digest would only hide that one of them is missing, until the next
//! inventory.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use zephyrfs_core::command::{HeldChunk, PAGE, RecordInventory};
use zephyrfs_core::engine::{At, ChunkScan, Freshness};
use zephyrfs_core::id::{ChunkId, NodeId};
use zephyrfs_core::row::ReplicaState;
use zephyrfs_core::units::AppliedIndex;
use zephyrfs_core::{Command, ReadSet, Rejection, Response};

use super::engine_error::wrong_answer;
use super::error::{InvalidField, ServiceError};
use super::freshness::local_at;
use super::request::ChunkDescription;
use super::state::Service;
use super::validate;

/// So many inventories are taken at a time.
pub(super) const AT_ONCE: usize = 2;

/// A node may hold so many chunks; 8 bytes are kept of each while its inventory is taken.
const MAX_CHUNKS: usize = 8_000_000;

/// An inventory that is being taken.
pub struct Inventory {
    service: Arc<Service>,
    node: NodeId,
    /// Digests of the chunks that were named.
    named: Vec<u64>,
    taken: InventoryTaken,
    /// What was committed when it began: a chunk that is looked for at the end is at least as old.
    index: AppliedIndex,
    _place: OwnedSemaphorePermit,
}

/// What an inventory came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InventoryTaken {
    /// Chunks that the node named.
    pub chunks: u64,
    /// Copies that nobody knew of, of chunks that are known.
    pub found: u64,
    /// Copies that the node should have and has not, or not with this content.
    pub missing: u64,
    /// Copies of chunks that nobody knows: they are kept for a while, and then deleted.
    pub quarantined: u64,
}

impl Service {
    /// Begins the inventory of a node.
    ///
    /// # Errors
    /// [`ServiceError`]; `Rejected` if the node is not known or was unregistered, `Overloaded` if too many are being taken.
    pub async fn begin_inventory(self: &Arc<Self>, node_id: String) -> Result<Inventory, ServiceError> {
        let node: NodeId = validate::id(&self.limits, "node_id", node_id)?;
        let place = Arc::clone(&self.inventory_places)
            .try_acquire_owned()
            .map_err(|_| ServiceError::Overloaded {
                reason: "this replica takes as many inventories as it can at a time; send this one to another, or a \
                         minute later"
                    .to_owned(),
            })?;
        let reads = ReadSet {
            nodes: vec![node.clone()],
            ..ReadSet::default()
        };
        let view = self.engine.view(reads, Freshness::default());
        let At { index, value } = self.read("the node", None, view).await?;
        let rejection = match value.nodes.get(&node) {
            None => Some(Rejection::NodeNotFound { node: node.clone() }),
            Some(row) if row.is_removed() => Some(Rejection::NodeRemoved { node: node.clone() }),
            Some(_) => None,
        };
        match rejection {
            Some(rejection) => Err(ServiceError::Rejected { rejection, index }),
            None => Ok(Inventory {
                service: Arc::clone(self),
                node,
                named: Vec::new(),
                taken: InventoryTaken::default(),
                index,
                _place: place,
            }),
        }
    }
}

impl Inventory {
    /// Whose it is.
    pub const fn node(&self) -> &NodeId {
        &self.node
    }

    /// Takes chunks that the node has.
    ///
    /// # Errors
    /// [`ServiceError`]; what was taken before counts.
    pub async fn take(&mut self, chunks: Vec<ChunkDescription>) -> Result<(), ServiceError> {
        if self.named.len() + chunks.len() > MAX_CHUNKS {
            let problem = format!("must be at most {MAX_CHUNKS} in one inventory");
            return Err(ServiceError::TooLarge(InvalidField::new("chunks", problem)));
        }
        let held = validate::held_chunks(&self.service.limits, chunks)?;
        self.named.extend(held.iter().map(|held| digest(&held.chunk)));
        self.taken.chunks += held.len() as u64;
        for held in held.chunks(PAGE) {
            let differs = self.differing(held).await?;
            if !differs.is_empty() {
                self.record(differs, Vec::new()).await?;
            }
        }
        Ok(())
    }

    /// The node has named all that it has: looks for what it should have besides.
    ///
    /// # Errors
    /// [`ServiceError`]; what was recorded until then counts.
    pub async fn finish(mut self) -> Result<At<InventoryTaken>, ServiceError> {
        self.named.sort_unstable();
        // The scan is of this replica's own state, which must be as far as the state in which the inventory began.
        let own = self.service.engine.view(ReadSet::default(), local_at(self.index));
        self.service.read("the state", None, own).await?;
        let mut missing = Vec::new();
        let mut cursor = None;
        loop {
            let scan = self.service.engine.scan_chunks(cursor, PAGE);
            let ChunkScan { items, next } = self.service.read("the chunks", None, scan).await?;
            missing.extend(
                items
                    .into_iter()
                    .filter(|(id, row)| {
                        let replica = row.replica_on(&self.node);
                        let is_due = replica.is_some_and(|replica| replica.state != ReplicaState::Assigned);
                        is_due && self.named.binary_search(&digest(id)).is_err()
                    })
                    .map(|(id, _)| id),
            );
            if missing.len() >= PAGE || next.is_none() {
                for missing in std::mem::take(&mut missing).chunks(PAGE) {
                    self.record(Vec::new(), missing.to_vec()).await?;
                }
            }
            match next {
                Some(place) => cursor = Some(place),
                None => break,
            }
            tokio::task::yield_now().await;
        }
        let InventoryTaken {
            chunks,
            found,
            missing,
            quarantined,
        } = self.taken;
        tracing::info!(node_id = %self.node, chunks, found, missing, quarantined, "Inventory taken");
        Ok(At {
            index: self.index,
            value: self.taken,
        })
    }

    /// The chunks that are not known here to be stored on the node with this very content.
    async fn differing(&self, held: &[HeldChunk]) -> Result<Vec<HeldChunk>, ServiceError> {
        let reads = ReadSet {
            chunks: held.iter().map(|held| held.chunk.clone()).collect(),
            ..ReadSet::default()
        };
        let view = self.service.engine.view(reads, local_at(self.index));
        let known = self.service.read("the chunks", None, view).await?.value.chunks;
        let is_as_known = |held: &&HeldChunk| {
            known.get(&held.chunk).is_some_and(|row| {
                let replica = row.replica_on(&self.node);
                let is_stored = replica.is_some_and(|replica| replica.state == ReplicaState::Stored);
                is_stored && row.same_content(&held.hash, held.size)
            })
        };
        Ok(held.iter().filter(|held| !is_as_known(held)).cloned().collect())
    }

    async fn record(&mut self, held: Vec<HeldChunk>, missing: Vec<ChunkId>) -> Result<(), ServiceError> {
        let policy = &self.service.policy;
        let command = Command::RecordInventory(RecordInventory {
            node: self.node.clone(),
            held,
            missing,
            quarantine: policy.quarantine.into(),
            max_replicas: policy.max_nodes_per_chunk,
        });
        let At { index, value } = self.service.propose(command, None, None).await?;
        let Response::InventoryRecorded {
            found,
            missing,
            quarantined,
        } = value
        else {
            return Err(wrong_answer("record_inventory"));
        };
        self.taken.found += found;
        self.taken.missing += missing;
        self.taken.quarantined += quarantined;
        self.index = self.index.max(index);
        Ok(())
    }
}

fn digest(chunk: &ChunkId) -> u64 {
    let mut bytes = [0; 8];
    blake3::Hasher::new()
        .update(chunk.as_str().as_bytes())
        .finalize_xof()
        .fill(&mut bytes);
    u64::from_le_bytes(bytes)
}
