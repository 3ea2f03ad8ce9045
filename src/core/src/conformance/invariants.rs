//! What is true of the rows after every command, whatever the commands were.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::{ChunkId, FileId, NodeId};
use crate::row::{ChunkRow, FileRow, NodeRow, ReleaseRow, ReplicaState, Row, TaskKind, TaskRow, users};
use crate::units::Timestamp;

/// The rows, arranged for looking things up.
#[derive(Default)]
struct Picture<'a> {
    nodes: BTreeMap<&'a NodeId, &'a NodeRow>,
    beats: Vec<&'a NodeId>,
    files: BTreeMap<&'a FileId, &'a FileRow>,
    chunks: BTreeMap<&'a ChunkId, &'a ChunkRow>,
    sharers: BTreeMap<&'a ChunkId, BTreeMap<&'a FileId, u32>>,
    releases: Vec<&'a ReleaseRow>,
    tasks: BTreeMap<(&'a NodeId, &'a ChunkId), &'a TaskRow>,
    /// The index of each chunk in each file that lists it.
    listed: BTreeMap<(&'a FileId, &'a ChunkId), u32>,
    /// The chunks that each file once listed and that are still to be released.
    pending: BTreeSet<(&'a FileId, &'a ChunkId)>,
}

/// Checks every invariant between rows.
///
/// # Errors
/// What does not hold, and of which row.
pub fn check(rows: &[Row]) -> Result<(), String> {
    let picture = Picture::of(rows);
    picture.every_beat_is_of_a_node()?;
    picture.files_list_chunks_that_know_them()?;
    picture.releases_are_unfinished()?;
    picture.tasks_are_about_copies()?;
    for (id, chunk) in &picture.chunks {
        let check = || {
            picture.replicas_are_on_distinct_nodes(chunk)?;
            picture.home_lists_the_chunk(id, chunk)?;
            picture.deletions_are_tasks(id, chunk)?;
            picture.drained_nodes_hold_nothing(chunk)?;
            picture.sharers_are_counted_and_list_the_chunk(id, chunk)
        };
        check().map_err(|what: String| format!("chunk {id}: {what}: {chunk:?}"))?;
    }
    match picture
        .sharers
        .keys()
        .find(|id| !picture.chunks.contains_key(*id))
    {
        Some(id) => Err(format!("chunk {id} has sharers and no row")),
        None => Ok(()),
    }
}

/// Checks that no row speaks of a time later than `now` that it should have seen.
///
/// # Errors
/// The row.
pub fn check_times(rows: &[Row], now: Timestamp) -> Result<(), String> {
    match rows.iter().find(|row| row.latest_time() > now) {
        Some(row) => Err(format!("{row:?} is of a time after {now:?}")),
        None => Ok(()),
    }
}

impl<'a> Picture<'a> {
    fn of(rows: &'a [Row]) -> Self {
        let mut picture = Self::default();
        for row in rows {
            match row {
                Row::Node(id, node) => {
                    picture.nodes.insert(id, node);
                }
                Row::Beat(id, _) => picture.beats.push(id),
                Row::File(id, file) => {
                    let listed = file.chunks.iter().map(|chunk| ((id, &chunk.id), chunk.index));
                    picture.listed.extend(listed);
                    picture.files.insert(id, file);
                }
                Row::Chunk(id, chunk) => {
                    picture.chunks.insert(id, chunk);
                }
                Row::Sharer(chunk, file, index) => {
                    picture.sharers.entry(chunk).or_default().insert(file, *index);
                }
                Row::Release(_, release) => {
                    let pending = release.next_page(usize::MAX).iter();
                    picture
                        .pending
                        .extend(pending.map(|chunk| (&release.file, &chunk.id)));
                    picture.releases.push(release);
                }
                Row::Task(node, chunk, task) => {
                    picture.tasks.insert((node, chunk), task);
                }
                Row::Request(..) => {}
            }
        }
        picture
    }

    fn every_beat_is_of_a_node(&self) -> Result<(), String> {
        match self.beats.iter().find(|id| !self.nodes.contains_key(*id)) {
            Some(id) => Err(format!("a heartbeat of node {id}, which has no row")),
            None => Ok(()),
        }
    }

    fn files_list_chunks_that_know_them(&self) -> Result<(), String> {
        for (id, file) in &self.files {
            let ascending = file.chunks.windows(2).all(|pair| pair[0].index < pair[1].index);
            let ids: BTreeSet<_> = file.chunks.iter().map(|chunk| &chunk.id).collect();
            if !ascending || ids.len() != file.chunks.len() {
                return Err(format!("file {id} lists a chunk twice or out of order: {file:?}"));
            }
            for entry in file.chunks.iter() {
                let Some(chunk) = self.chunks.get(&entry.id) else {
                    return Err(format!("file {id} lists chunk {}, which has no row", entry.id));
                };
                let shares = self.sharer_index(&entry.id, id).is_some();
                if chunk.home.as_ref() != Some(id) && !shares {
                    return Err(format!(
                        "file {id} lists chunk {}, which is not its: {chunk:?}",
                        entry.id
                    ));
                }
            }
        }
        Ok(())
    }

    fn releases_are_unfinished(&self) -> Result<(), String> {
        match self
            .releases
            .iter()
            .find(|release| release.next_page(1).is_empty())
        {
            Some(release) => Err(format!(
                "a release of file {} with nothing left to do",
                release.file
            )),
            None => Ok(()),
        }
    }

    /// A task is to bring a copy that is assigned, or to drop one that does not count any more.
    fn tasks_are_about_copies(&self) -> Result<(), String> {
        for ((node, chunk), task) in &self.tasks {
            let replica = self.chunks.get(chunk).and_then(|row| row.replica_on(node));
            let expected = match task.kind {
                TaskKind::Replicate => ReplicaState::Assigned,
                TaskKind::Delete => ReplicaState::Deleting,
            };
            if replica.map(|replica| replica.state) != Some(expected) {
                return Err(format!(
                    "{task:?} of {node} about {chunk}, of which it has {replica:?}"
                ));
            }
            if task.attempt == 0 || task.deadline < task.created_at {
                return Err(format!("{task:?} of {node} about {chunk}"));
            }
        }
        Ok(())
    }

    fn deletions_are_tasks(&self, id: &ChunkId, chunk: &ChunkRow) -> Result<(), String> {
        let mut replicas = chunk.replicas.iter();
        let forgotten = replicas.find(|replica| {
            replica.state == ReplicaState::Deleting && !self.tasks.contains_key(&(&replica.node, id))
        });
        match forgotten {
            Some(replica) => Err(format!("nobody tells {} to delete its copy", replica.node)),
            None => Ok(()),
        }
    }

    fn drained_nodes_hold_nothing(&self, chunk: &ChunkRow) -> Result<(), String> {
        let is_drained = |node| self.nodes.get(node).is_some_and(|node| node.is_drained());
        match users(chunk).find(|node| is_drained(*node)) {
            Some(node) => Err(format!("a copy counts on {node}, which may be switched off")),
            None => Ok(()),
        }
    }

    fn replicas_are_on_distinct_nodes(&self, chunk: &ChunkRow) -> Result<(), String> {
        let mut seen = BTreeSet::new();
        for replica in &chunk.replicas {
            if !seen.insert(&replica.node) {
                return Err(format!("two replicas on node {}", replica.node));
            }
            if !self.nodes.contains_key(&replica.node) {
                return Err(format!("a replica on node {}, which has no row", replica.node));
            }
        }
        Ok(())
    }

    fn home_lists_the_chunk(&self, id: &ChunkId, chunk: &ChunkRow) -> Result<(), String> {
        if chunk.home.is_none() != chunk.unreferenced_since.is_some() {
            return Err("it has either a home or a time since when it has none".to_owned());
        }
        let Some(home) = &chunk.home else {
            return match (chunk.sharers, chunk.replicas.len()) {
                (0, 1..) => Ok(()),
                (0, 0) => Err("neither a file nor a node holds it".to_owned()),
                _ => Err("it has sharers and no home".to_owned()),
            };
        };
        self.is_listed_or_pending(home, id, chunk.index)
    }

    fn sharers_are_counted_and_list_the_chunk(&self, id: &ChunkId, chunk: &ChunkRow) -> Result<(), String> {
        let none = BTreeMap::new();
        let sharers = self.sharers.get(id).unwrap_or(&none);
        if sharers.len() != chunk.sharers as usize {
            return Err(format!("it has {} sharers: {sharers:?}", sharers.len()));
        }
        for (file, index) in sharers {
            if chunk.home.as_ref() == Some(file) {
                return Err("its home is also one of its sharers".to_owned());
            }
            self.is_listed_or_pending(file, id, *index)?;
        }
        Ok(())
    }

    fn is_listed_or_pending(&self, file: &FileId, chunk: &ChunkId, index: u32) -> Result<(), String> {
        match self.listed.get(&(file, chunk)) {
            Some(listed) if *listed == index => Ok(()),
            Some(listed) => Err(format!("file {file} lists it with index {listed}, not {index}")),
            None if self.pending.contains(&(file, chunk)) => Ok(()),
            None => Err(format!("file {file} neither lists it nor is about to release it")),
        }
    }

    fn sharer_index(&self, chunk: &ChunkId, file: &FileId) -> Option<u32> {
        self.sharers.get(chunk)?.get(file).copied()
    }
}
