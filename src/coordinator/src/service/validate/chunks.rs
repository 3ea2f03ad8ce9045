//! What nodes say of chunks.

use zephyrfs_core::command::{HeldChunk, LocationChange};
use zephyrfs_core::id::{ChunkId, ContentHash, NodeId};

use super::nodes::node_ids;
use super::number::byte_size;
use super::problem::invalid;
use super::text::{id, plain_text, quoted};
use crate::service::error::ServiceError;
use crate::service::limits::Limits;
use crate::service::request::{ChunkDescription, LocationUpdate};

/// A location update that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::service) struct ValidLocationUpdate {
    pub(in crate::service) chunk: ChunkId,
    pub(in crate::service) nodes: Vec<NodeId>,
    pub(in crate::service) change: LocationChange,
}

/// Checks a location update.
pub(in crate::service) fn location_update(
    limits: &Limits,
    update: LocationUpdate,
) -> Result<ValidLocationUpdate, ServiceError> {
    let LocationUpdate {
        chunk_id,
        node_ids: ids,
        operation,
    } = update;
    let chunk = id(limits, "chunk_id", chunk_id)?;
    if ids.is_empty() {
        return invalid("node_ids", "must name at least one node");
    }
    let nodes = node_ids(limits, "node_ids", ids)?;
    let change = match operation.as_str() {
        "add" => LocationChange::Add,
        "remove" => LocationChange::Remove,
        _ => {
            return Err(ServiceError::UnknownOperation {
                operation: quoted(&operation),
            });
        }
    };
    Ok(ValidLocationUpdate { chunk, nodes, change })
}

/// Checks chunks that a node says it holds.
pub(in crate::service) fn held_chunks(
    limits: &Limits,
    chunks: Vec<ChunkDescription>,
) -> Result<Vec<HeldChunk>, ServiceError> {
    let check = |(position, description): (usize, ChunkDescription)| {
        let field = |name: &str| format!("chunks[{position}].{name}");
        let hash = plain_text(field("hash"), description.hash, limits.max_id_length)?;
        Ok(HeldChunk {
            chunk: id(limits, field("chunk_id"), description.chunk_id)?,
            hash: ContentHash::from(hash),
            size: byte_size(field("size"), description.size, limits.max_chunk_size)?,
        })
    };
    chunks.into_iter().enumerate().map(check).collect()
}

#[cfg(test)]
mod tests {
    use zephyrfs_core::command::LocationChange;

    use super::location_update;
    use crate::service::error::ServiceError;
    use crate::service::limits::Limits;
    use crate::service::request::LocationUpdate;

    fn update(operation: &str) -> LocationUpdate {
        LocationUpdate {
            chunk_id: "chunk-1".to_owned(),
            node_ids: vec!["node-1".to_owned()],
            operation: operation.to_owned(),
        }
    }

    #[test]
    fn two_operations_are_known() {
        let change =
            |operation| location_update(&Limits::default(), update(operation)).map(|valid| valid.change);
        assert_eq!(change("add"), Ok(LocationChange::Add));
        assert_eq!(change("remove"), Ok(LocationChange::Remove));
        for operation in ["", "Add", "move"] {
            let expected = ServiceError::UnknownOperation {
                operation: operation.to_owned(),
            };
            assert_eq!(change(operation), Err(expected));
        }
        let endless = change(&"x".repeat(10_000))
            .expect_err("no such operation")
            .to_string();
        assert!(endless.len() < 200, "{endless}");
    }

    #[test]
    fn an_update_names_a_chunk_and_nodes() {
        let nobody = LocationUpdate {
            node_ids: Vec::new(),
            ..update("add")
        };
        let error = location_update(&Limits::default(), nobody).expect_err("no nodes");
        assert_eq!(error.to_string(), "node_ids: must name at least one node");
        let nothing = LocationUpdate {
            chunk_id: String::new(),
            ..update("add")
        };
        let error = location_update(&Limits::default(), nothing).expect_err("no chunk");
        assert_eq!(error.to_string(), "chunk_id: must not be empty");
    }
}
