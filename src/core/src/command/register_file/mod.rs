//! A file comes, or comes with other content.

mod replaced;
mod replicas;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::copies::{COPIES, NewTask, count, delete_copies};
use super::{PAGE, release};
use crate::context::Context;
use crate::effects::{Effects, Mutation};
use crate::id::{ChunkId, ContentHash, FileId, NodeId, RequestId};
use crate::rejection::Rejection;
use crate::response::Response;
use crate::row::{ChunkRow, FileChunk, FileRow, NodeRow, ReplicaState, TaskReason};
use crate::units::{ByteSize, Millis};
use crate::view::{ReadSet, View};

/// A chunk's row has no more replicas than this when its content changes: those of the old content stay until they are
/// deleted.
const MAX_REPLICAS_PER_CHUNK: usize = 64;

/// Registers a file and its chunks, each with the nodes that the proposer chose for it.
///
/// The choice of nodes is policy and was made before; here it is only checked: nodes that are gone by now are left out,
/// and a chunk that would have none that is there refuses the whole file. The same file again changes nothing. A known file with other
/// content is replaced, and lets go of the chunks that only its old version used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisterFile {
    /// The file's id.
    pub file: FileId,
    /// Its name.
    pub name: String,
    /// Its length.
    pub size: ByteSize,
    /// The hash of its whole content.
    pub hash: ContentHash,
    /// Who registers it.
    pub owner: Option<NodeId>,
    /// Its chunks in ascending order of their index, no id and no index twice.
    pub chunks: Vec<ChunkPlan>,
    /// The nodes that the plans below refer to by position: each is named once, however many chunks go to it.
    pub nodes: Vec<NodeId>,
    /// The replicas wanted for each chunk.
    pub wanted: u32,
    /// The most replicas that a chunk may have.
    pub max_replicas: u32,
    /// How long nodes have to drop copies of content that is replaced.
    pub task_time: Millis,
}

/// A chunk of a new file, and where it shall go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkPlan {
    /// The chunk's id.
    pub id: ChunkId,
    /// The hash of its content.
    pub hash: ContentHash,
    /// Its length.
    pub size: ByteSize,
    /// Where it stands in the file.
    pub index: u32,
    /// Positions in [`RegisterFile::nodes`], best first.
    pub targets: Vec<u32>,
}

impl RegisterFile {
    pub(super) fn reads(&self) -> ReadSet {
        ReadSet {
            nodes: self.nodes.clone(),
            files: vec![self.file.clone()],
            file_chunks: vec![(self.file.clone(), PAGE)],
            chunks: self.chunks.iter().map(|chunk| chunk.id.clone()).collect(),
            sharers: Some(vec![self.file.clone()]),
            replica_nodes: true,
            ..ReadSet::default()
        }
    }

    pub(super) fn decide(&self, id: RequestId, view: &View, context: &Context) -> Result<Effects, Rejection> {
        self.refuse_duplicates()?;
        let known = view.files.get(&self.file);
        let same = known.filter(|known| self.is_same_content(known, view));
        match same {
            None => self.register(id, known, None, view, context),
            Some(same) if self.can_be_brought(view) => Ok(self.again(same, view)),
            // Its nodes are gone before a client brought it anywhere: others may take their place, if there are any.
            Some(same) => {
                let placed = self.register(id, known, Some(same), view, context);
                placed.or_else(|_| Ok(self.again(same, view)))
            }
        }
    }

    /// Registers the file with the planned nodes. `same` is the file as it is known, if its content stays the same.
    fn register(
        &self,
        id: RequestId,
        known: Option<&FileRow>,
        same: Option<&FileRow>,
        view: &View,
        context: &Context,
    ) -> Result<Effects, Rejection> {
        let mut mutations = Vec::with_capacity(self.chunks.len() + 2);
        let mut placements = Vec::with_capacity(self.chunks.len());
        let deletion = NewTask {
            request: id,
            reason: TaskReason::Replaced,
            time: self.task_time,
            context,
        };
        for plan in &self.chunks {
            let known = view.chunks.get(&plan.id);
            let mut row = match known {
                Some(chunk) => self.hold(plan, chunk, view, &mut mutations)?,
                None => self.new_chunk(plan, context),
            };
            if known.is_some_and(|known| !known.is_referenced()) {
                give_up_drained(&plan.id, &mut row, view, &deletion, &mut mutations);
            }
            replicas::assign(self, plan, &mut row, view, &mut mutations)?;
            if let Some(old) = known.filter(|old| !old.same_content(&row.hash, row.size)) {
                replaced::delete_old_copies(&plan.id, old, &mut row, &deletion, &mut mutations);
            }
            placements.push(replicas::placement(plan, &row, view));
            if known != Some(&row) {
                mutations.push(Mutation::PutChunk(plan.id.clone(), row));
            }
        }
        let file = FileRow {
            name: self.name.clone(),
            size: self.size,
            hash: self.hash.clone(),
            owner: self.owner.clone(),
            created_at: same.map_or(context.now, |known| known.created_at),
            chunks: self
                .chunks
                .iter()
                .map(|plan| FileChunk {
                    id: plan.id.clone(),
                    index: plan.index,
                })
                .collect(),
        };
        if let Some(known) = known {
            release::begin(
                id,
                &self.file,
                &known.chunks,
                &file.chunks,
                view,
                context,
                &mut mutations,
            );
        }
        mutations.push(Mutation::PutFile(self.file.clone(), file));
        Ok(Effects {
            mutations,
            response: Response::FileRegistered {
                placements,
                wanted: self.wanted,
            },
        })
    }

    fn refuse_duplicates(&self) -> Result<(), Rejection> {
        let mut ids = BTreeSet::new();
        let mut last_index = None;
        for plan in &self.chunks {
            if !ids.insert(&plan.id) || last_index.is_some_and(|last| plan.index <= last) {
                return Err(Rejection::DuplicateChunk {
                    chunk: plan.id.clone(),
                });
            }
            last_index = Some(plan.index);
        }
        Ok(())
    }

    /// Whether the file is registered already with this hash and these chunks.
    fn is_same_content(&self, known: &FileRow, view: &View) -> bool {
        known.hash == self.hash
            && known.size == self.size
            && known.chunks.len() == self.chunks.len()
            && known.chunks.iter().zip(&self.chunks).all(|(held, plan)| {
                held.id == plan.id
                    && held.index == plan.index
                    && view
                        .chunks
                        .get(&plan.id)
                        .is_some_and(|chunk| chunk.same_content(&plan.hash, plan.size))
            })
    }

    /// Whether each chunk is stored somewhere, or a client can be told where to bring it.
    fn can_be_brought(&self, view: &View) -> bool {
        self.chunks.iter().all(|plan| {
            view.chunks.get(&plan.id).is_some_and(|chunk| {
                count(chunk, &[ReplicaState::Stored], view, |_| true) > 0
                    || count(chunk, &COPIES, view, NodeRow::serves_reads) > 0
            })
        })
    }

    /// Answers for a file that is registered already; its name and owner may have changed.
    fn again(&self, known: &FileRow, view: &View) -> Effects {
        let placements = self
            .chunks
            .iter()
            .filter_map(|plan| {
                let chunk = view.chunks.get(&plan.id)?;
                Some(replicas::placement(plan, chunk, view))
            })
            .collect();
        let renamed = FileRow {
            name: self.name.clone(),
            owner: self.owner.clone(),
            ..known.clone()
        };
        let mutations = if renamed == *known {
            Vec::new()
        } else {
            vec![Mutation::PutFile(self.file.clone(), renamed)]
        };
        Effects {
            mutations,
            response: Response::FileRegistered {
                placements,
                wanted: self.wanted,
            },
        }
    }

    fn new_chunk(&self, plan: &ChunkPlan, context: &Context) -> ChunkRow {
        ChunkRow {
            hash: plan.hash.clone(),
            size: plan.size,
            created_at: context.now,
            home: Some(self.file.clone()),
            index: plan.index,
            sharers: 0,
            unreferenced_since: None,
            replicas: Vec::new(),
        }
    }

    /// A known chunk as it is once this file holds it.
    fn hold(
        &self,
        plan: &ChunkPlan,
        chunk: &ChunkRow,
        view: &View,
        mutations: &mut Vec<Mutation>,
    ) -> Result<ChunkRow, Rejection> {
        let is_home = chunk.home.as_ref() == Some(&self.file);
        let mut held = chunk.clone();
        if !chunk.same_content(&plan.hash, plan.size) {
            // Nobody else needs the old content: the file is replaced together with its chunk, and every copy there was
            // is of the old content, so none counts.
            let only_ours = (is_home && chunk.sharers == 0) || !chunk.is_referenced();
            if !only_ours {
                return Err(conflict(plan, chunk));
            }
            // Every change of content may leave copies to be deleted; there is no use in more of them than this.
            if chunk.replicas.len() > MAX_REPLICAS_PER_CHUNK {
                return Err(Rejection::ChunkBeingDeleted {
                    chunk: plan.id.clone(),
                });
            }
            held.hash = plan.hash.clone();
            held.size = plan.size;
            held.replicas
                .retain(|replica| replica.state == ReplicaState::Deleting);
        }
        if is_home || !chunk.is_referenced() {
            held.home = Some(self.file.clone());
            held.index = plan.index;
            held.unreferenced_since = None;
        } else {
            let key = (plan.id.clone(), self.file.clone());
            if !view.sharers.contains_key(&key) {
                held.sharers = held.sharers.saturating_add(1);
            }
            if view.sharers.get(&key) != Some(&plan.index) {
                mutations.push(Mutation::PutSharer(key.0, key.1, plan.index));
            }
        }
        Ok(held)
    }
}

/// A chunk that is taken up again does not count what is left on drained nodes: these may be switched off at any time.
fn give_up_drained(
    id: &ChunkId,
    row: &mut ChunkRow,
    view: &View,
    deletion: &NewTask<'_>,
    mutations: &mut Vec<Mutation>,
) {
    let is_drained = |node: &NodeId| view.nodes.get(node).is_some_and(|node| node.is_drained());
    delete_copies(id, row, is_drained, deletion, mutations);
}

fn conflict(plan: &ChunkPlan, chunk: &ChunkRow) -> Rejection {
    let known = if chunk.hash == plan.hash {
        format!("size {}, not {}", chunk.size, plan.size)
    } else {
        format!("hash {}, not {}", chunk.hash, plan.hash)
    };
    Rejection::ChunkConflict {
        chunk: plan.id.clone(),
        known,
    }
}
