//! A file goes.

use serde::{Deserialize, Serialize};

use super::{PAGE, release};
use crate::context::Context;
use crate::effects::{Effects, Mutation};
use crate::id::{FileId, RequestId};
use crate::rejection::Rejection;
use crate::response::Response;
use crate::view::{ReadSet, View};

/// Deletes a file and lets go of its chunks: the first page at once, a larger file's rest in further commands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeleteFile {
    /// The file.
    pub file: FileId,
}

impl DeleteFile {
    pub(super) fn reads(&self) -> ReadSet {
        ReadSet {
            files: vec![self.file.clone()],
            file_chunks: vec![(self.file.clone(), PAGE)],
            sharers: Some(vec![self.file.clone()]),
            ..ReadSet::default()
        }
    }

    pub(super) fn decide(&self, id: RequestId, view: &View, context: &Context) -> Result<Effects, Rejection> {
        let file = view
            .files
            .get(&self.file)
            .ok_or_else(|| Rejection::FileNotFound {
                file: self.file.clone(),
            })?;
        let mut mutations = vec![Mutation::DeleteFile(self.file.clone())];
        release::begin(id, &self.file, &file.chunks, &[], view, context, &mut mutations);
        Ok(Effects {
            mutations,
            response: Response::FileDeleted,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::rejection::Rejection;
    use crate::testing::{NewFile, World, delete};

    #[test]
    fn a_deleted_file_is_gone_and_its_chunks_wait_for_their_copies_to_go() {
        let mut world = World::with_nodes(["n1"]);
        world.apply(NewFile::new("f", ["a"]).on(["n1"])).unwrap();
        world.apply(delete("f")).unwrap();
        assert_eq!(world.file("f"), None);
        assert_eq!(world.chunk("a").unwrap().unreferenced_since, Some(world.now()));
        let totals = world.model().totals();
        assert_eq!(
            (totals.files, totals.chunks, totals.unreferenced_chunks),
            (0, 0, 1)
        );
    }

    #[test]
    fn deleting_twice_says_that_there_is_no_such_file() {
        let mut world = World::with_nodes(["n1"]);
        world.apply(NewFile::new("f", ["a"]).on(["n1"])).unwrap();
        world.apply(delete("f")).unwrap();
        assert_eq!(
            world.apply(delete("f")),
            Err(Rejection::FileNotFound { file: "f".into() })
        );
    }
}
