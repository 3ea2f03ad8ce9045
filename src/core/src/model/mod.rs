//! The state in memory: the plainest thing that the rules can run on, obviously correct rather than fast.
//!
//! Stores are compared with it (see the `conformance` feature), and tests of the rules run on it. It serves nobody: it has
//! no durability and no concurrency.

mod load;
mod write;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use crate::context::Context;
use crate::decide::decide;
use crate::effects::{Effects, Mutation};
use crate::envelope::Envelope;
use crate::event::Change;
use crate::id::{ChunkId, FileId, NodeId, RequestId};
use crate::rejection::Rejection;
use crate::response::Response;
use crate::row::{BeatRow, ChunkRow, FileRow, NodeRow, ReleaseRow, RequestRow, Row, TaskRow};
use crate::store::RowStore;
use crate::totals::Totals;
use crate::units::{AppliedIndex, Timestamp};
use crate::view::{ReadSet, View};

/// Every row, the totals and the time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Model {
    nodes: BTreeMap<NodeId, Arc<NodeRow>>,
    beats: BTreeMap<NodeId, BeatRow>,
    files: BTreeMap<FileId, FileRow>,
    chunks: BTreeMap<ChunkId, ChunkRow>,
    sharers: BTreeMap<(ChunkId, FileId), u32>,
    releases: BTreeMap<RequestId, ReleaseRow>,
    requests: BTreeMap<String, RequestRow>,
    tasks: BTreeMap<(NodeId, ChunkId), TaskRow>,
    totals: Totals,
    now: Timestamp,
    changes: Vec<Change>,
}

impl Model {
    /// Applies a command: decides it on the rows that it asks for, and writes what follows.
    ///
    /// # Errors
    /// The [`Rejection`], if the rules refuse the command. No row has changed then; the time has.
    pub fn apply(&mut self, envelope: &Envelope, index: AppliedIndex) -> Result<Response, Rejection> {
        let decided = self.decide(envelope, index);
        self.now = self.context(envelope, index).now;
        self.changes.clear();
        let effects = decided?;
        self.changes = self.write_all(&effects.mutations);
        Ok(effects.response)
    }

    /// What applying a command would come to.
    ///
    /// # Errors
    /// As [`Model::apply`].
    pub fn decide(&self, envelope: &Envelope, index: AppliedIndex) -> Result<Effects, Rejection> {
        let view = self.view(&envelope.proposal.reads());
        decide(envelope, &view, &self.context(envelope, index))
    }

    fn context(&self, envelope: &Envelope, index: AppliedIndex) -> Context {
        Context::following(self.now, index, envelope.proposed_at)
    }

    /// Counts, kept along with every change.
    pub const fn totals(&self) -> &Totals {
        &self.totals
    }

    /// What the last command changed; nothing if it was refused.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The time of the last command, refused ones too.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// The releases that are not finished.
    pub fn releases(&self) -> impl Iterator<Item = &RequestId> {
        self.releases.keys()
    }

    /// What nodes are to do.
    pub fn tasks(&self) -> impl Iterator<Item = (&NodeId, &ChunkId, &TaskRow)> {
        self.tasks.iter().map(|((node, chunk), task)| (node, chunk, task))
    }

    /// Every row, in dump order.
    pub fn rows(&self) -> Vec<Row> {
        self.iter().collect()
    }

    fn iter(&self) -> impl Iterator<Item = Row> {
        let nodes = self
            .nodes
            .iter()
            .map(|(id, row)| Row::Node(id.clone(), NodeRow::clone(row)));
        let beats = self.beats.iter().map(|(id, row)| Row::Beat(id.clone(), *row));
        let files = self
            .files
            .iter()
            .map(|(id, row)| Row::File(id.clone(), row.clone()));
        let chunks = self
            .chunks
            .iter()
            .map(|(id, row)| Row::Chunk(id.clone(), row.clone()));
        let sharers = self
            .sharers
            .iter()
            .map(|((chunk, file), index)| Row::Sharer(chunk.clone(), file.clone(), *index));
        let releases = self
            .releases
            .iter()
            .map(|(id, row)| Row::Release(*id, row.clone()));
        let requests = self
            .requests
            .iter()
            .map(|(key, row)| Row::Request(key.clone(), row.clone()));
        let tasks = self
            .tasks()
            .map(|(node, chunk, task)| Row::Task(node.clone(), chunk.clone(), task.clone()));
        nodes
            .chain(beats)
            .chain(files)
            .chain(chunks)
            .chain(sharers)
            .chain(releases)
            .chain(requests)
            .chain(tasks)
    }
}

impl RowStore for Model {
    type Error = Infallible;

    fn load(&self, reads: &ReadSet) -> Result<View, Infallible> {
        Ok(self.view(reads))
    }

    fn write(&mut self, mutations: &[Mutation]) -> Result<Vec<Change>, Infallible> {
        Ok(self.write_all(mutations))
    }

    fn dump(&self, take: &mut dyn FnMut(Row) -> bool) -> Result<(), Infallible> {
        for row in self.iter() {
            if !take(row) {
                break;
            }
        }
        Ok(())
    }
}
