//! What all handlers share.

use std::sync::Arc;
use std::time::Duration;

use super::body_limits::BodyLimits;
use crate::health::HealthChecks;
use crate::service::Service;

/// What all handlers share.
#[derive(Clone)]
pub(super) struct RestState {
    /// The operations.
    pub(super) service: Arc<Service>,
    /// What `/health` answers.
    pub(super) health: HealthChecks,
    /// How much of bodies is taken in.
    pub(super) bodies: BodyLimits,
    /// How long a request may take.
    pub(super) request_timeout: Duration,
}
