//! The next page of a deleted or replaced file's chunks is released.

use serde::{Deserialize, Serialize};

use super::{PAGE, release};
use crate::context::Context;
use crate::effects::{Effects, Mutation};
use crate::id::RequestId;
use crate::rejection::Rejection;
use crate::response::Response;
use crate::row::ReleaseRow;
use crate::view::{ReadSet, View};

/// Continues an unfinished release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseChunks {
    /// The proposal that left the work behind.
    pub release: RequestId,
}

impl ReleaseChunks {
    pub(super) fn reads(&self) -> ReadSet {
        ReadSet {
            releases: vec![(self.release, PAGE)],
            sharers: Some(Vec::new()),
            ..ReadSet::default()
        }
    }

    pub(super) fn decide(&self, view: &View, context: &Context) -> Result<Effects, Rejection> {
        let row = view
            .releases
            .get(&self.release)
            .ok_or(Rejection::ReleaseFinished)?;
        let mut mutations = Vec::new();
        // The file may have been registered again meanwhile, with some of the same chunks.
        let still_held = view.files.get(&row.file).map_or(&[][..], |file| &file.chunks);
        let page = row.next_page(PAGE);
        release::page_of(&row.file, page, still_held, view, context, &mut mutations);
        let done = row.done as usize + page.len();
        let left = row.chunks.len().saturating_sub(done);
        mutations.push(if left == 0 {
            Mutation::DeleteRelease(self.release)
        } else {
            Mutation::PutRelease(
                self.release,
                ReleaseRow {
                    done: done as u32,
                    ..row.clone()
                },
            )
        });
        Ok(Effects {
            mutations,
            response: Response::ChunksReleased { left: left as u64 },
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::command::PAGE;
    use crate::id::RequestId;
    use crate::rejection::Rejection;
    use crate::response::Response;
    use crate::testing::{NewFile, World, delete, release};

    /// Chunks `c<from>` to `c<to>`, the last one left out.
    fn large(file: &str, from: usize, to: usize) -> NewFile {
        NewFile::new(file, (from..to).map(|number| format!("c{number}"))).on(["n1"])
    }

    /// A world in which a file of two pages and a half was deleted.
    fn with_deleted_file() -> (World, RequestId) {
        let mut world = World::with_nodes(["n1"]);
        world.apply(large("f", 0, PAGE * 5 / 2)).unwrap();
        world.apply(delete("f")).unwrap();
        let id = world.last_id();
        (world, id)
    }

    fn left(world: &mut World, id: RequestId) -> u64 {
        match world.apply(release(id)).unwrap() {
            Response::ChunksReleased { left } => left,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn pages_follow_until_nothing_is_left() {
        let (mut world, id) = with_deleted_file();
        assert_eq!(left(&mut world, id), PAGE as u64 / 2);
        assert_eq!(left(&mut world, id), 0);
        assert_eq!(world.model().totals().unreferenced_chunks, PAGE as u64 * 5 / 2);
        assert_eq!(world.apply(release(id)), Err(Rejection::ReleaseFinished));
    }

    #[test]
    fn a_single_chunk_that_is_left_is_released_too() {
        let mut world = World::with_nodes(["n1"]);
        world.apply(large("f", 0, PAGE * 2 + 1)).unwrap();
        world.apply(delete("f")).unwrap();
        let id = world.last_id();
        assert_eq!([left(&mut world, id), left(&mut world, id)], [1, 0]);
        assert_eq!(world.model().totals().unreferenced_chunks, PAGE as u64 * 2 + 1);
    }

    #[test]
    fn what_the_file_holds_again_by_then_is_left_alone() {
        let (mut world, id) = with_deleted_file();
        world.apply(large("f", PAGE + 10, PAGE + 20)).unwrap();
        while left(&mut world, id) > 0 {}
        let chunk = format!("c{}", PAGE + 15);
        assert_eq!(world.holders(&chunk), (Some("f".to_owned()), 0));
        assert_eq!(world.model().totals().chunks, 10);
    }

    #[test]
    fn what_another_file_took_up_meanwhile_becomes_its_own() {
        let (mut world, id) = with_deleted_file();
        world.apply(large("g", PAGE - 5, PAGE + 5)).unwrap();
        assert_eq!(world.holders(&format!("c{PAGE}")), (Some("f".to_owned()), 1));
        while left(&mut world, id) > 0 {}
        assert_eq!(world.holders(&format!("c{PAGE}")), (Some("g".to_owned()), 0));
        assert_eq!(world.model().totals().chunks, 10);
    }

    #[test]
    fn two_releases_of_one_file_do_not_disturb_each_other() {
        let (mut world, first) = with_deleted_file();
        world.apply(large("f", 0, PAGE * 2)).unwrap();
        world.apply(delete("f")).unwrap();
        let second = world.last_id();
        while left(&mut world, second) > 0 {}
        world.apply(large("f", PAGE, PAGE + 3)).unwrap();
        while left(&mut world, first) > 0 {}
        assert_eq!(world.model().totals().chunks, 3);
        assert_eq!(
            world.model().totals().unreferenced_chunks,
            PAGE as u64 * 5 / 2 - 3
        );
    }

    #[test]
    fn a_replaced_large_file_releases_the_rest_of_its_old_chunks() {
        let mut world = World::with_nodes(["n1"]);
        world.apply(large("f", 0, PAGE + 2)).unwrap();
        world.apply(large("f", PAGE + 1, PAGE + 3)).unwrap();
        let id = world.last_id();
        assert_eq!(left(&mut world, id), 0);
        assert_eq!(world.model().totals().chunks, 2);
        assert_eq!(world.model().totals().unreferenced_chunks, PAGE as u64 + 1);
    }
}
