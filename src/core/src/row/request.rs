//! Remembered answers: what makes a retried request have one effect.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::response::Response;
use crate::units::Timestamp;

/// The answer to a request that carried an idempotency key, stored with its effect.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestRow {
    /// What the request said, so that the same key with another request is noticed.
    pub fingerprint: Fingerprint,
    /// The answer.
    pub response: Response,
    /// When it may be forgotten.
    pub expires_at: Timestamp,
}

/// A digest of what a client asked for, without anything that the coordinator chose.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// From a cryptographic digest of the request.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:02x}{:02x}{:02x}{:02x}",
            self.0[0], self.0[1], self.0[2], self.0[3]
        )
    }
}
