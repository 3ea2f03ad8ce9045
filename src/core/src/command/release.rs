//! Letting go of chunks: what deleting a file, replacing it, and finishing either have in common.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::PAGE;
use crate::context::Context;
use crate::effects::Mutation;
use crate::id::{ChunkId, FileId, RequestId};
use crate::row::{ChunkRow, FileChunk, ReleaseRow};
use crate::view::View;

/// Releases the first page of the chunks that `file` held and holds no longer, and leaves a note of the rest.
pub(super) fn begin(
    id: RequestId,
    file: &FileId,
    held: &Arc<[FileChunk]>,
    still_held: &[FileChunk],
    view: &View,
    context: &Context,
    mutations: &mut Vec<Mutation>,
) {
    let page = held.len().min(PAGE);
    page_of(file, &held[..page], still_held, view, context, mutations);
    if held.len() > page {
        let rest = ReleaseRow {
            file: file.clone(),
            chunks: Arc::clone(held),
            done: page as u32,
        };
        mutations.push(Mutation::PutRelease(id, rest));
    }
}

/// Releases chunks that `file` held, except those that it still holds, or holds again.
pub(super) fn page_of(
    file: &FileId,
    page: &[FileChunk],
    still_held: &[FileChunk],
    view: &View,
    context: &Context,
    mutations: &mut Vec<Mutation>,
) {
    let still_held: BTreeSet<&ChunkId> = still_held.iter().map(|chunk| &chunk.id).collect();
    for FileChunk { id, .. } in page {
        let Some(chunk) = view.chunks.get(id).filter(|_| !still_held.contains(id)) else {
            continue;
        };
        release_one(file, id, chunk, view, context, mutations);
    }
}

fn release_one(
    file: &FileId,
    id: &ChunkId,
    chunk: &ChunkRow,
    view: &View,
    context: &Context,
    mutations: &mut Vec<Mutation>,
) {
    if chunk.home.as_ref() != Some(file) {
        if view.sharers.contains_key(&(id.clone(), file.clone())) {
            mutations.push(Mutation::DeleteSharer(id.clone(), file.clone()));
            let sharers = chunk.sharers.saturating_sub(1);
            mutations.push(Mutation::PutChunk(
                id.clone(),
                ChunkRow {
                    sharers,
                    ..chunk.clone()
                },
            ));
        }
        return;
    }
    if let Some((heir, index)) = view.first_sharer(id) {
        mutations.push(Mutation::DeleteSharer(id.clone(), heir.clone()));
        let sharers = chunk.sharers.saturating_sub(1);
        let moved = ChunkRow {
            home: Some(heir.clone()),
            index,
            sharers,
            ..chunk.clone()
        };
        mutations.push(Mutation::PutChunk(id.clone(), moved));
    } else if chunk.replicas.is_empty() {
        mutations.push(Mutation::DeleteChunk(id.clone()));
    } else {
        let orphan = ChunkRow {
            home: None,
            unreferenced_since: Some(context.now),
            ..chunk.clone()
        };
        mutations.push(Mutation::PutChunk(id.clone(), orphan));
    }
}

#[cfg(test)]
mod tests {
    use super::PAGE;
    use crate::command::LocationChange;
    use crate::testing::{NewFile, World, delete, locations};

    fn names(count: usize) -> impl Iterator<Item = String> {
        (0..count).map(|number| format!("c{number}"))
    }

    #[test]
    fn a_sharer_lets_go_without_touching_the_home() {
        let mut world = World::with_nodes(["n1"]);
        for file in ["f", "g", "h"] {
            world.apply(NewFile::new(file, ["a"]).on(["n1"])).unwrap();
        }
        world.apply(delete("h")).unwrap();
        assert_eq!(world.holders("a"), (Some("f".to_owned()), 1));
    }

    #[test]
    fn the_first_sharer_inherits_the_chunk() {
        let mut world = World::with_nodes(["n1"]);
        for file in ["z", "y", "x"] {
            world.apply(NewFile::new(file, ["a"]).on(["n1"])).unwrap();
        }
        world.apply(delete("z")).unwrap();
        assert_eq!(world.holders("a"), (Some("x".to_owned()), 1));
    }

    #[test]
    fn a_chunk_without_copies_goes_with_its_last_file() {
        let mut world = World::with_nodes(["n1"]);
        world.apply(NewFile::new("f", ["a"]).on(["n1"])).unwrap();
        world
            .apply(locations("a", LocationChange::Remove, ["n1"]))
            .unwrap();
        world.apply(delete("f")).unwrap();
        assert_eq!(world.chunk("a"), None);
    }

    #[test]
    fn a_page_is_released_at_once_and_only_what_is_beyond_it_is_left() {
        for (chunks, releases) in [(PAGE, 0), (PAGE + 1, 1)] {
            let mut world = World::with_nodes(["n1"]);
            world.apply(NewFile::new("f", names(chunks)).on(["n1"])).unwrap();
            world.apply(delete("f")).unwrap();
            assert_eq!(world.model().releases().count(), releases, "{chunks}");
            assert_eq!(world.model().totals().unreferenced_chunks, PAGE as u64);
        }
    }
}
