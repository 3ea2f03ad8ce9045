//! What has expired is forgotten.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::effects::{Effects, Mutation};
use crate::id::ChunkId;
use crate::response::Response;
use crate::row::ChunkRow;
use crate::units::Timestamp;
use crate::view::{ReadSet, View};

/// Forgets answers whose time is over, and chunks that no file and no registered node holds.
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
            replica_nodes: true,
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
            if expired && !chunk.is_referenced() && !is_held(chunk, view) {
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

/// Whether a node holds the chunk, or may. One that was unregistered counts for nothing: it will never say that it dropped
/// its copy, and the chunk would be kept for ever.
fn is_held(chunk: &ChunkRow, view: &View) -> bool {
    let mut nodes = chunk.replicas.iter().map(|replica| &replica.node);
    nodes.any(|id| view.nodes.get(id).is_some_and(|node| !node.is_removed()))
}

#[cfg(test)]
mod tests {
    use super::ForgetExpired;
    use crate::command::{Command, LocationChange};
    use crate::envelope::Idempotency;
    use crate::response::Response;
    use crate::row::Fingerprint;
    use crate::testing::{NewFile, World, delete, locations, register, unregister};
    use crate::units::{Millis, Timestamp};

    fn forget(requests: &[&str], chunks: &[&str], unreferenced_since: Timestamp) -> Command {
        Command::ForgetExpired(ForgetExpired {
            requests: requests.iter().map(ToString::to_string).collect(),
            chunks: chunks.iter().map(|&chunk| chunk.into()).collect(),
            unreferenced_since,
        })
    }

    fn key(name: &str) -> Option<Idempotency> {
        Some(Idempotency {
            key: name.to_owned(),
            fingerprint: Fingerprint::from_bytes([0; 32]),
            keep_for: Millis::new(100),
        })
    }

    const FOREVER: Timestamp = Timestamp::from_millis(u64::MAX);

    #[test]
    fn an_answer_is_forgotten_when_its_time_is_over() {
        let mut world = World::with_nodes([]);
        world.apply_keyed(register("n1"), key("k")).unwrap();
        world.pass(Millis::new(99));
        let forgotten = |requests| Ok(Response::Forgotten { requests, chunks: 0 });
        assert_eq!(
            world.apply(forget(&["k", "k", "never"], &[], FOREVER)),
            forgotten(0)
        );
        world.pass(Millis::new(1));
        assert_eq!(
            world.apply(forget(&["k", "k", "never"], &[], FOREVER)),
            forgotten(1)
        );
        assert_eq!(world.apply(forget(&["k"], &[], FOREVER)), forgotten(0));
    }

    #[test]
    fn a_chunk_is_forgotten_once_no_registered_node_holds_it() {
        let mut world = World::with_nodes(["n1", "n2"]);
        world
            .apply(NewFile::new("f", ["a", "b"]).on(["n1", "n2"]))
            .unwrap();
        world.apply(delete("f")).unwrap();
        let forgotten = |chunks| Ok(Response::Forgotten { requests: 0, chunks });
        world.apply(unregister("n1")).unwrap();
        assert_eq!(
            world.apply(forget(&[], &["a", "b"], FOREVER)),
            forgotten(0),
            "n2 may hold them"
        );
        world
            .apply(locations("a", LocationChange::Remove, ["n2"]))
            .unwrap();
        assert_eq!(
            world.apply(forget(&[], &["a", "a", "b", "never"], FOREVER)),
            forgotten(1)
        );
        assert_eq!((world.chunk("a"), world.chunk("b").is_some()), (None, true));
    }

    #[test]
    fn a_chunk_is_kept_for_its_grace_and_while_a_file_holds_it() {
        let mut world = World::with_nodes(["n1"]);
        world.apply(NewFile::new("f", ["a"]).on(["n1"])).unwrap();
        world.apply(unregister("n1")).unwrap();
        let forgotten = |chunks| Ok(Response::Forgotten { requests: 0, chunks });
        assert_eq!(world.apply(forget(&[], &["a"], FOREVER)), forgotten(0));
        world.apply(delete("f")).unwrap();
        let since = world.now();
        assert_eq!(world.apply(forget(&[], &["a"], since)), forgotten(0));
        assert_eq!(
            world.apply(forget(&[], &["a"], since.plus(Millis::new(1)))),
            forgotten(1)
        );
    }
}
