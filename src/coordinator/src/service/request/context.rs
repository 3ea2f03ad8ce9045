//! What travels beside a request, whichever API it came by.

use std::time::Instant;

use zephyrfs_core::engine::Freshness;

/// What a client asked for besides the request itself.
#[derive(Debug, Clone, Default)]
pub struct RequestContext {
    /// Makes a repeated write have one effect. Reads and heartbeats ignore it.
    pub idempotency_key: Option<String>,
    /// How fresh a read must be. Writes ignore it.
    pub freshness: Freshness,
    /// When the client stops waiting; `None` waits for as long as the engine does.
    pub deadline: Option<Instant>,
}
