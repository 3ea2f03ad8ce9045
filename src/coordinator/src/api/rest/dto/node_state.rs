//! What operators want of nodes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::bounded::Span;
use crate::api::rest::span::parse_span;
use crate::service::{InvalidField, NodeStateRequest, NodeStateSet};

/// An announced absence.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(examples(json!({"for": "30m"})))]
pub(in crate::api::rest) struct MaintenanceRequest {
    /// How long, as `90s`, `30m`, `2h` or `7d`.
    #[serde(rename = "for")]
    #[schema(value_type = Span)]
    span: String,
}

impl TryFrom<MaintenanceRequest> for NodeStateRequest {
    type Error = InvalidField;

    fn try_from(request: MaintenanceRequest) -> Result<Self, InvalidField> {
        let MaintenanceRequest { span } = request;
        if parse_span(&span).is_none() {
            return Err(InvalidField::new(
                "for",
                "must be a number and ms, s, m, h or d, such as 90s, 30m or 2h",
            ));
        }
        Ok(Self::Maintain { span })
    }
}

/// A node's state after an operator's command.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct NodeStateResponse {
    success: bool,
    /// What was done; of a drain that cannot end with the nodes there are, also what it lacks.
    message: String,
    /// active, inactive, maintenance or draining; empty if nothing was done.
    status: &'static str,
}

impl NodeStateResponse {
    /// It was done: `what` in words, as the status may be another one that counts for more.
    pub(in crate::api::rest) fn done(what: &str, set: NodeStateSet) -> Self {
        Self {
            success: true,
            message: format!("{what}; the node's status is {set}"),
            status: set.status.as_str(),
        }
    }

    /// It was not.
    pub(in crate::api::rest) const fn refused(message: String) -> Self {
        Self {
            success: false,
            message,
            status: "",
        }
    }
}
