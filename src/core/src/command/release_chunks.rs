//! The next page of a deleted or replaced file's chunks is released.

use serde::{Deserialize, Serialize};

use super::{PAGE, release};
use crate::decide::Context;
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
