//! Inventories: pages of what a node holds come in over a stream, and one answer says what came of them.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Status, Streaming};
use zephyrfs_core::engine::At;
use zephyrfs_proto::coordinator as wire;

use super::middleware::{Deadline, MessageShare, Messages, blamed, passed};
use super::status::{Reply, reply};
use crate::service::{ChunkDescription, InvalidField, Inventory, InventoryTaken, Service, ServiceError};

/// How long the next page is waited for: few inventories are taken at a time, and others wait for the place.
const PATIENCE: Duration = Duration::from_secs(60);

/// So many chunks a second are the least, on average and after the first minute, for the same reason.
const LEAST_PACE: u64 = 10;

/// And so long is the longest that one may take.
const LONGEST: Duration = Duration::from_secs(3_600);

/// Takes inventories.
pub(super) struct Inventories {
    service: Arc<Service>,
    stopping: CancellationToken,
}

/// The pages of one inventory that come in.
struct Pages {
    messages: Streaming<wire::InventoryPage>,
    /// What they take.
    memory: Option<Messages>,
    began: Instant,
    /// Chunks that came.
    chunks: u64,
}

/// A page, and what it takes of the memory for requests.
type Page = (wire::InventoryPage, Option<MessageShare>);

/// Why an inventory is not taken.
enum Failure {
    /// Something about the stream.
    Stream(Status),
    /// Something about what came over it.
    Service(ServiceError),
}

impl Inventories {
    /// Over a service; all that are under way end when `stopping` is cancelled.
    pub(super) const fn new(service: Arc<Service>, stopping: CancellationToken) -> Self {
        Self { service, stopping }
    }

    /// Takes an inventory. One that breaks leaves recorded what was named, and nothing as missing.
    pub(super) async fn take(
        &self,
        request: Request<Streaming<wire::InventoryPage>>,
    ) -> Reply<wire::ReportInventoryResponse> {
        let (_, extensions, messages) = request.into_parts();
        let pages = Pages {
            messages,
            memory: extensions.get::<Messages>().cloned(),
            began: Instant::now(),
            chunks: 0,
        };
        let taken = tokio::select! {
            biased;
            () = self.stopping.cancelled() => Err(Failure::Stream(Status::unavailable(
                "this replica is stopping; send the inventory to another one",
            ))),
            () = passed(extensions.get::<Deadline>().copied()) => Err(late(
                "the deadline passed before the inventory was taken; what was recorded until then counts",
            )),
            () = sleep(LONGEST) => Err(late("the inventory took longer than an hour; send it again, faster")),
            taken = self.take_all(pages) => taken,
        };
        match taken {
            Ok(taken) => reply(Ok(taken)),
            Err(Failure::Service(error)) => reply(Err::<At<InventoryTaken>, _>(error)),
            Err(Failure::Stream(status)) => Err(status),
        }
    }

    async fn take_all(&self, mut pages: Pages) -> Result<At<InventoryTaken>, Failure> {
        let Some((wire::InventoryPage { node_id, chunks }, memory)) = pages.next().await? else {
            return Err(invalid("node_id", "must be named: the stream had no page"));
        };
        let mut inventory = self.service.begin_inventory(node_id).await?;
        let replaced = inventory.replaced();
        let rest = async move {
            inventory.take(descriptions(chunks)).await?;
            drop(memory);
            while let Some((page, _memory)) = pages.next().await? {
                check(&page, &inventory)?;
                inventory.take(descriptions(page.chunks)).await?;
            }
            Ok(inventory.finish().await?)
        };
        tokio::select! {
            biased;
            () = replaced => Err(Failure::Stream(Status::aborted(
                "a newer inventory of this node has begun; what was recorded until then counts",
            ))),
            taken = rest => taken,
        }
    }
}

impl Pages {
    /// The next page; `None` after the last.
    async fn next(&mut self) -> Result<Option<Page>, Failure> {
        let page = timeout(PATIENCE, self.messages.message())
            .await
            .map_err(|_| late("no page came for a minute; send the inventory again"))?
            .map_err(|status| Failure::Stream(blamed(&status).unwrap_or(status)))?;
        let Some(page) = page else {
            return Ok(None);
        };
        self.chunks += page.chunks.len() as u64;
        if is_too_slow(self.chunks, self.began.elapsed()) {
            return Err(late(
                "fewer than 10 chunks a second came; send the inventory again, faster",
            ));
        }
        let memory = self.memory.as_ref().map(Messages::hand_on);
        Ok(Some((page, memory)))
    }
}

/// Whether so many chunks are too few for the time that they took.
fn is_too_slow(chunks: u64, took: Duration) -> bool {
    chunks < took.saturating_sub(PATIENCE).as_secs() * LEAST_PACE
}

fn check(page: &wire::InventoryPage, inventory: &Inventory) -> Result<(), Failure> {
    if !page.node_id.is_empty() && page.node_id != inventory.node().as_str() {
        return Err(invalid("node_id", "must be the same in all pages"));
    }
    if page.chunks.is_empty() {
        return Err(invalid("chunks", "must not be empty in any page but the first"));
    }
    Ok(())
}

fn invalid(field: &str, problem: &str) -> Failure {
    Failure::Service(ServiceError::Invalid(InvalidField::new(field, problem)))
}

fn late(why: &str) -> Failure {
    Failure::Stream(Status::deadline_exceeded(why))
}

impl From<ServiceError> for Failure {
    fn from(error: ServiceError) -> Self {
        Self::Service(error)
    }
}

fn descriptions(chunks: Vec<wire::HeldChunk>) -> Vec<ChunkDescription> {
    let description = |wire::HeldChunk { chunk_id, hash, size }| ChunkDescription {
        chunk_id,
        hash,
        size,
        index: 0,
    };
    chunks.into_iter().map(description).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::is_too_slow;

    #[test]
    fn the_first_minute_is_given_and_then_ten_chunks_a_second() {
        for (chunks, seconds, is_slow) in [
            (0, 60, false),
            (0, 61, true),
            (9, 61, true),
            (10, 61, false),
            (5_999, 660, true),
            (6_000, 660, false),
        ] {
            let took = Duration::from_secs(seconds);
            assert_eq!(is_too_slow(chunks, took), is_slow, "{chunks} in {seconds} s");
        }
    }
}
