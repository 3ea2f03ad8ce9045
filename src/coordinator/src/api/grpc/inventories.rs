//! Inventories: pages of what a node holds come in over a stream, and one answer says what came of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;
use tonic::{Request, Status, Streaming};
use zephyrfs_core::engine::At;
use zephyrfs_proto::coordinator as wire;

use super::middleware::{Messages, blamed};
use super::status::{Reply, reply, status};
use crate::service::{ChunkDescription, InvalidField, Inventory, InventoryTaken, Service, ServiceError};

/// How long the next page is waited for: few inventories are taken at a time, and others wait for the place.
const PATIENCE: Duration = Duration::from_secs(60);

/// And for how long all of them.
const LONGEST: Duration = Duration::from_secs(3_600);

/// Takes an inventory. A stream that breaks leaves recorded what was named, and nothing as missing.
pub(super) async fn take(
    service: &Arc<Service>,
    request: Request<Streaming<wire::InventoryPage>>,
) -> Reply<wire::ReportInventoryResponse> {
    let (_, extensions, mut pages) = request.into_parts();
    let memory = extensions.get::<Messages>().cloned();
    let mut inventory: Option<Inventory> = None;
    let began = Instant::now();
    loop {
        let page = timeout(PATIENCE, pages.message())
            .await
            .map_err(|_| Status::deadline_exceeded("no page came for a minute; send the inventory again"))?
            .map_err(|status| blamed(&status).unwrap_or(status))?;
        let Some(wire::InventoryPage { node_id, chunks }) = page else {
            break;
        };
        let _memory = memory.as_ref().map(Messages::hand_on);
        if began.elapsed() > LONGEST {
            return Err(Status::deadline_exceeded(
                "the inventory took longer than an hour; send it again, faster",
            ));
        }
        let underway = match inventory.take() {
            Some(underway) if !node_id.is_empty() && node_id != underway.node().as_str() => {
                let field = InvalidField::new("node_id", "must be the same in all pages");
                Err(ServiceError::Invalid(field))
            }
            Some(_) if chunks.is_empty() => {
                let field = InvalidField::new("chunks", "must not be empty in any page but the first");
                Err(ServiceError::Invalid(field))
            }
            Some(underway) => Ok(underway),
            None => service.begin_inventory(node_id).await,
        };
        let taken = match underway {
            Ok(mut underway) => {
                let chunks = chunks.into_iter().map(description).collect();
                let taken = underway.take(chunks).await;
                inventory = Some(underway);
                taken
            }
            Err(error) => Err(error),
        };
        if let Err(error) = taken {
            return reply(Err::<At<InventoryTaken>, _>(error));
        }
    }
    match inventory {
        Some(inventory) => reply(inventory.finish().await),
        None => {
            let field = InvalidField::new("node_id", "must be named: the stream had no page");
            Err(status(ServiceError::Invalid(field)))
        }
    }
}

fn description(chunk: wire::HeldChunk) -> ChunkDescription {
    let wire::HeldChunk { chunk_id, hash, size } = chunk;
    ChunkDescription {
        chunk_id,
        hash,
        size,
        index: 0,
    }
}
