//! Nodes that come and go.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::bounded::{Addresses, ByteCount, Capabilities, OptionalId, Reason};
use crate::api::rest::number::Whole;
use crate::service::{NodeRegistration, NodeRemoval, RegisteredNode};

/// A node that comes or comes back, as it describes itself.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(examples(json!({
    "node_id": "node-1",
    "addresses": ["10.0.0.1:7000"],
    "storage_capacity": 1_000_000_000_000_u64,
    "capabilities": {"zone": "zone-1"},
})))]
pub(in crate::api::rest) struct RegisterNodeRequest {
    /// Left out or empty: an id of 32 hex digits is assigned.
    #[schema(value_type = Option<OptionalId>)]
    node_id: Option<String>,
    /// Where the node is reached; the first is given to clients.
    #[schema(value_type = Addresses)]
    addresses: Vec<String>,
    /// Bytes.
    #[schema(value_type = ByteCount)]
    storage_capacity: Whole,
    /// `region`, `zone`, `rack` and `host` name its failure domains; others are kept and shown.
    #[schema(value_type = Option<Capabilities>)]
    capabilities: Option<BTreeMap<String, String>>,
}

impl From<RegisterNodeRequest> for NodeRegistration {
    fn from(request: RegisterNodeRequest) -> Self {
        let RegisterNodeRequest {
            node_id,
            addresses,
            storage_capacity,
            capabilities,
        } = request;
        Self {
            node_id: node_id.unwrap_or_default(),
            addresses,
            storage_capacity: storage_capacity.0,
            capabilities: capabilities.unwrap_or_default(),
        }
    }
}

/// What a node is told when it has registered.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct RegisterNodeResponse {
    success: bool,
    message: String,
    assigned_node_id: String,
    /// First addresses of up to five other active nodes.
    bootstrap_peers: Vec<String>,
}

impl From<RegisteredNode> for RegisterNodeResponse {
    fn from(registered: RegisteredNode) -> Self {
        let RegisteredNode { node, peers, known } = registered;
        let message = if known {
            "Node registered again"
        } else {
            "Node registered"
        };
        Self {
            success: true,
            message: message.to_owned(),
            assigned_node_id: node.into(),
            bootstrap_peers: peers,
        }
    }
}

/// Why a node goes.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(examples(json!({"reason": "the disk is worn out"})))]
pub(in crate::api::rest) struct UnregisterNodeRequest {
    /// In words, for the log and the operator.
    #[schema(value_type = Option<Reason>)]
    reason: Option<String>,
}

impl UnregisterNodeRequest {
    /// The removal of the node in the path.
    pub(in crate::api::rest) fn of(self, node_id: String) -> NodeRemoval {
        let Self { reason } = self;
        NodeRemoval {
            node_id,
            reason: reason.unwrap_or_default(),
        }
    }
}
