//! What has expired is forgotten.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::decide::Context;
use crate::effects::{Effects, Mutation};
use crate::id::ChunkId;
use crate::response::Response;
use crate::units::Timestamp;
use crate::view::{ReadSet, View};

/// Forgets answers whose time is over, and chunks that no file and no node holds.
///
/// The conditions are checked again here: naming something that is still needed does no harm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgetExpired {
    /// Idempotency keys.
    pub requests: Vec<String>,
    /// Chunks.
    pub chunks: Vec<ChunkId>,
    /// A chunk is forgotten only if no file has held it since before this time.
    pub unreferenced_since: Timestamp,
}

impl ForgetExpired {
    pub(super) fn reads(&self) -> ReadSet {
        ReadSet {
            requests: self.requests.clone(),
            chunks: self.chunks.clone(),
            ..ReadSet::default()
        }
    }

    pub(super) fn decide(&self, view: &View, context: &Context) -> Effects {
        let mut mutations = Vec::new();
        for key in self.requests.iter().collect::<BTreeSet<_>>() {
            if view
                .requests
                .get(key)
                .is_some_and(|request| request.expires_at <= context.now)
            {
                mutations.push(Mutation::DeleteRequest(key.clone()));
            }
        }
        let requests = mutations.len() as u64;
        for id in self.chunks.iter().collect::<BTreeSet<_>>() {
            let Some(chunk) = view.chunks.get(id) else {
                continue;
            };
            let expired = chunk
                .unreferenced_since
                .is_some_and(|since| since < self.unreferenced_since);
            if expired && !chunk.is_referenced() && chunk.replicas.is_empty() {
                mutations.push(Mutation::DeleteChunk(id.clone()));
            }
        }
        let chunks = mutations.len() as u64 - requests;
        Effects {
            mutations,
            response: Response::Forgotten { requests, chunks },
        }
    }
}
