//! What the API says of itself.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

/// Who answers here, and where to go on.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct Welcome {
    service: &'static str,
    version: &'static str,
    /// Paths by what they are for.
    endpoints: BTreeMap<&'static str, &'static str>,
}

impl Welcome {
    /// This version's.
    pub(in crate::api::rest) fn new() -> Self {
        Self {
            service: "zephyrfs-coordinator",
            version: env!("CARGO_PKG_VERSION"),
            endpoints: BTreeMap::from([
                ("health", "/health"),
                ("nodes", "/api/v1/nodes"),
                ("files", "/api/v1/files"),
                ("chunks", "/api/v1/chunks"),
                ("tasks", "/api/v1/tasks"),
                ("network", "/api/v1/network/status"),
                ("cluster", "/api/v1/cluster"),
                ("admin", "/api/v1/admin/database/stats"),
                ("openapi", "/api/openapi.json"),
                ("docs", "/docs"),
            ]),
        }
    }
}
