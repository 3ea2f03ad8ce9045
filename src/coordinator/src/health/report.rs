//! The form of an answer about health.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

/// Whether something is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It is.
    Healthy,
    /// It is not.
    Unhealthy,
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Check {
    /// Whether this is well.
    pub status: Status,
    /// What was seen, in words.
    pub detail: String,
}

/// What all checks of a kind found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = HealthReport)]
pub struct Report {
    /// `healthy` if every check is.
    pub status: Status,
    /// The checks by name.
    pub checks: BTreeMap<&'static str, Check>,
}

impl Check {
    /// A check that found everything well.
    pub(super) fn healthy(detail: impl Into<String>) -> Self {
        Self {
            status: Status::Healthy,
            detail: detail.into(),
        }
    }

    /// A check that found something wrong.
    pub(super) fn unhealthy(detail: impl Into<String>) -> Self {
        Self {
            status: Status::Unhealthy,
            detail: detail.into(),
        }
    }
}

impl Report {
    /// A report of these checks.
    pub(super) fn of<const N: usize>(checks: [(&'static str, Check); N]) -> Self {
        let checks = BTreeMap::from(checks);
        let status = if checks.values().all(|check| check.status == Status::Healthy) {
            Status::Healthy
        } else {
            Status::Unhealthy
        };
        Self { status, checks }
    }

    /// Whether every check found everything well.
    pub fn is_healthy(&self) -> bool {
        self.status == Status::Healthy
    }
}
