//! Inventories: a node says which chunks it found on its disks, page by page, and what differs from what is known is
//! recorded.
//!
//! What the node has is compared as the pages come in. What it lacks is known only at the end: then all chunks are looked
//! at once, on this replica. Only what counted as stored on the node when the inventory began can be lacking: a node looks
//! through its disks for minutes, and what is stored on it meanwhile may be where it has looked already. Of these chunks only a
//! short digest is kept, and few inventories are taken at a time, so that memory is bounded. Two chunks with the same digest
//! would only hide that one of them is missing.

mod expected;
mod places;

use std::sync::Arc;

use tokio_util::sync::WaitForCancellationFutureOwned;
use zephyrfs_core::command::{HeldChunk, PAGE, RecordInventory};
use zephyrfs_core::engine::{At, ChunkScan, Freshness, ScanCursor};
use zephyrfs_core::id::{ChunkId, NodeId, digest};
use zephyrfs_core::row::ReplicaState;
use zephyrfs_core::units::AppliedIndex;
use zephyrfs_core::{Command, ReadSet, Rejection, Response, View};

use super::engine_error::wrong_answer;
use super::error::{InvalidField, ServiceError};
use super::freshness::local_at;
use super::request::ChunkDescription;
use super::state::Service;
use super::validate;
use expected::Expected;
use places::Place;
pub(super) use places::Places;

/// A node may name so many chunks. Of those that count as stored on it no more are expected either; if there are more, the
/// next inventory looks for the others.
const MAX_CHUNKS: usize = 8_000_000;

/// An inventory that is being taken.
pub struct Inventory {
    service: Arc<Service>,
    place: Place,
    expected: Expected,
    taken: InventoryTaken,
    /// So many more chunks that nobody knows may be recorded.
    room: usize,
    /// What was committed when it began, or was recorded since: what is read is at least as new.
    index: AppliedIndex,
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
    /// More of these, beyond what one inventory may bring: nothing was recorded of them.
    pub left_out: u64,
}

impl Service {
    /// Begins the inventory of a node. An older one of the same node ends.
    ///
    /// # Errors
    /// [`ServiceError`]; `Rejected` if the node is not known or was unregistered, `Overloaded` if too many are being taken.
    pub async fn begin_inventory(self: &Arc<Self>, node_id: String) -> Result<Inventory, ServiceError> {
        let node: NodeId = validate::id(&self.limits, "node_id", node_id)?;
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
        if let Some(rejection) = rejection {
            return Err(ServiceError::Rejected { rejection, index });
        }
        let place = self
            .inventory_places
            .take(node)
            .ok_or_else(|| ServiceError::Overloaded {
                reason: "this replica takes as many inventories as it can at a time; send this one to another, or a \
                         minute later"
                    .to_owned(),
            })?;
        Ok(Inventory {
            service: Arc::clone(self),
            expected: self.expected_of(&place.node).await?,
            place,
            taken: InventoryTaken::default(),
            room: self.limits.max_unknown_per_inventory,
            index,
        })
    }

    async fn expected_of(&self, node: &NodeId) -> Result<Expected, ServiceError> {
        let mut digests = Vec::new();
        let mut cursor = None;
        loop {
            let (stored, next) = self.stored_on(node, cursor).await?;
            digests.extend(stored.iter().map(digest).take(MAX_CHUNKS - digests.len()));
            match next {
                Some(place) if digests.len() < MAX_CHUNKS => cursor = Some(place),
                Some(_) | None => return Ok(Expected::new(digests)),
            }
            tokio::task::yield_now().await;
        }
    }

    /// Those chunks of the next page of all that count as stored on a node, and where the page after it begins.
    async fn stored_on(
        &self,
        node: &NodeId,
        cursor: Option<ScanCursor>,
    ) -> Result<(Vec<ChunkId>, Option<ScanCursor>), ServiceError> {
        let scan = self.engine.scan_chunks(cursor, PAGE);
        let ChunkScan { items, next } = self.read("the chunks", None, scan).await?;
        let stored = items.into_iter().filter(|(_, row)| {
            let replica = row.replica_on(node);
            replica.is_some_and(|replica| replica.state == ReplicaState::Stored)
        });
        Ok((stored.map(|(id, _)| id).collect(), next))
    }
}

impl Inventory {
    /// Whose it is.
    pub const fn node(&self) -> &NodeId {
        &self.place.node
    }

    /// Waits until a newer inventory of the same node has begun: this one is to be dropped then.
    pub fn replaced(&self) -> WaitForCancellationFutureOwned {
        self.place.replaced.clone().cancelled_owned()
    }

    /// Takes chunks that the node has.
    ///
    /// # Errors
    /// [`ServiceError`]; what was taken before counts.
    pub async fn take(&mut self, chunks: Vec<ChunkDescription>) -> Result<(), ServiceError> {
        if self.taken.chunks + chunks.len() as u64 > MAX_CHUNKS as u64 {
            let problem = format!("must be at most {MAX_CHUNKS} in one inventory");
            return Err(ServiceError::TooLarge(InvalidField::new("chunks", problem)));
        }
        let held = validate::held_chunks(&self.service.limits, chunks)?;
        self.taken.chunks += held.len() as u64;
        for held in held.chunks(PAGE) {
            for held in held {
                self.expected.name(&held.chunk);
            }
            let news = self.news(held).await?;
            if !news.is_empty() {
                self.record(news, Vec::new()).await?;
            }
        }
        Ok(())
    }

    /// The node has named all that it has: looks for what it should have besides.
    ///
    /// # Errors
    /// [`ServiceError`]; what was recorded until then counts.
    pub async fn finish(mut self) -> Result<At<InventoryTaken>, ServiceError> {
        if !self.expected.is_complete() {
            self.find_missing().await?;
        }
        let InventoryTaken {
            chunks,
            found,
            missing,
            quarantined,
            left_out,
        } = self.taken;
        let node_id = self.node();
        tracing::info!(%node_id, chunks, found, missing, quarantined, left_out, "Inventory taken");
        Ok(At {
            index: self.index,
            value: self.taken,
        })
    }

    async fn find_missing(&mut self) -> Result<(), ServiceError> {
        // The scan is of this replica's own state, which must be as far as what was recorded.
        let own = self.service.engine.view(ReadSet::default(), local_at(self.index));
        self.service.read("the state", None, own).await?;
        let mut missing = Vec::new();
        let mut cursor = None;
        loop {
            let (stored, next) = self.service.stored_on(&self.place.node, cursor).await?;
            missing.extend(stored.into_iter().filter(|chunk| self.expected.lacks(chunk)));
            if missing.len() >= PAGE || next.is_none() {
                for missing in std::mem::take(&mut missing).chunks(PAGE) {
                    self.record(Vec::new(), missing.to_vec()).await?;
                }
            }
            match next {
                Some(place) => cursor = Some(place),
                None => return Ok(()),
            }
            tokio::task::yield_now().await;
        }
    }

    /// Those of the chunks that are not known here as the node has them, as far as there is room for such that nobody knows.
    async fn news(&mut self, held: &[HeldChunk]) -> Result<Vec<HeldChunk>, ServiceError> {
        let command = self.command(held.to_vec(), Vec::new());
        let view = self.service.engine.view(command.reads(), local_at(self.index));
        let view: View = self.service.read("the chunks", None, view).await?.value;
        let mut news = command.news(&view);
        news.retain(|held| {
            if view.chunks.contains_key(&held.chunk) {
                return true;
            }
            let has_room = self.room > 0;
            self.room -= usize::from(has_room);
            self.taken.left_out += u64::from(!has_room);
            has_room
        });
        Ok(news)
    }

    fn command(&self, held: Vec<HeldChunk>, missing: Vec<ChunkId>) -> RecordInventory {
        let policy = &self.service.policy;
        RecordInventory {
            node: self.place.node.clone(),
            held,
            missing,
            quarantine: policy.quarantine.into(),
            max_replicas: policy.max_nodes_per_chunk,
        }
    }

    async fn record(&mut self, held: Vec<HeldChunk>, missing: Vec<ChunkId>) -> Result<(), ServiceError> {
        let command = Command::RecordInventory(self.command(held, missing));
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
