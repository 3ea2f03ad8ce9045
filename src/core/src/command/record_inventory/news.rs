//! What of an inventory is worth recording.

use super::{HeldChunk, RecordInventory, Tally};
use crate::view::View;

impl RecordInventory {
    /// Those of the chunks that the node has of which recording them would change something, as far as a view tells: the
    /// others need not be recorded.
    pub fn news(&self, view: &View) -> Vec<HeldChunk> {
        let Some(node) = view.nodes.get(&self.node) else {
            return self.held.clone();
        };
        let is_news = |held: &&HeldChunk| {
            let Some(row) = view.chunks.get(&held.chunk) else {
                return true;
            };
            let mut mutations = Vec::new();
            self.known(held, row, node, view, &mut mutations, &mut Tally::default());
            !mutations.is_empty()
        };
        self.held.iter().filter(is_news).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{HeldChunk, RecordInventory};
    use crate::command::LocationChange::Add;
    use crate::command::{Command, FinishDrains};
    use crate::context::Context;
    use crate::id::ContentHash;
    use crate::testing::{DRAIN, NewFile, World, delete, delete_copies, locations, set_state};
    use crate::units::{AppliedIndex, ByteSize, Millis};

    /// Chunks with copies in every state: `a` is being deleted from `n1` and `n2`, `b` is stored on `n3` and `d` on its way
    /// there, `e` is stored on `n1` and on its way to `n2`. `n4` is drained.
    fn world() -> World {
        let mut world = World::with_nodes(["n1", "n2", "n3", "n4"]);
        world.apply(NewFile::new("f", ["a"]).on(["n1", "n2"])).unwrap();
        world.apply(locations("a", Add, ["n1", "n2"])).unwrap();
        world.apply(delete("f")).unwrap();
        world.pass(Millis::new(1));
        world.apply(delete_copies(&["a"], world.now())).unwrap();
        world.apply(NewFile::new("g", ["b", "d"]).on(["n3"])).unwrap();
        world.apply(locations("b", Add, ["n3"])).unwrap();
        world.apply(NewFile::new("h", ["e"]).on(["n1", "n2"])).unwrap();
        world.apply(locations("e", Add, ["n1"])).unwrap();
        world.apply(set_state("n4", DRAIN)).unwrap();
        let nodes = vec!["n4".into()];
        world
            .apply(Command::FinishDrains(FinishDrains { nodes }))
            .unwrap();
        world
    }

    #[test]
    fn news_is_what_recording_would_change_and_nothing_else() {
        let world = world();
        let context = Context::following(world.now(), AppliedIndex::new(1_000), world.now());
        let mut outcomes = [0, 0];
        for node in ["n1", "n2", "n3", "n4"] {
            for (chunk, hash) in ["a", "b", "d", "e", "unknown"]
                .into_iter()
                .flat_map(|chunk| [(chunk, chunk), (chunk, "other")])
            {
                for max_replicas in [1, 2, 3] {
                    let held = HeldChunk {
                        chunk: chunk.into(),
                        hash: ContentHash::from(hash),
                        size: ByteSize::new(100),
                    };
                    let command = RecordInventory {
                        node: node.into(),
                        held: vec![held],
                        missing: Vec::new(),
                        quarantine: Millis::new(1),
                        max_replicas,
                    };
                    let view = world.model().view(&command.reads());
                    let changes = command.decide(&view, &context).unwrap().mutations;
                    let is_news = !command.news(&view).is_empty();
                    assert_eq!(
                        is_news,
                        !changes.is_empty(),
                        "{node} {chunk} {hash} {max_replicas}"
                    );
                    outcomes[usize::from(is_news)] += 1;
                }
            }
        }
        assert!(outcomes.iter().all(|count| *count > 0), "{outcomes:?}");
    }
}
