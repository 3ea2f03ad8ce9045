//! The rules' own suite over the rows in redb: random command sequences beside the in-memory model.

use std::sync::Arc;

use zephyrfs_core::conformance::{Subject, run};
use zephyrfs_core::event::Change;
use zephyrfs_core::row::Row;
use zephyrfs_core::store::RowStore;
use zephyrfs_core::units::{AppliedIndex, Timestamp};
use zephyrfs_core::{Context, Envelope, ReadSet, Rejection, Response, Totals, View, decide};

use crate::disk::{DatabaseKind, Memory, open_database};
use crate::kv::Base;
use crate::state::State;

/// A state that is flushed to its database, or reopened from it, every few commands, so that rows are read from every
/// layer.
struct StateInRedb {
    database: redb::Database,
    state: State,
    last: Timestamp,
    applied: u64,
    changes: Vec<Change>,
}

impl StateInRedb {
    fn new() -> Self {
        let database = open_database(&Memory::default(), DatabaseKind::State, 4 << 20).unwrap();
        Base::create(&database).unwrap();
        let state = State::open(Arc::new(Base::last(&database).unwrap()), "test").unwrap();
        Self {
            database,
            state,
            last: Timestamp::EPOCH,
            applied: 0,
            changes: Vec::new(),
        }
    }

    /// Five steps of the life of a layer: nothing, freeze, nothing, commit, reopen.
    fn move_layers(&mut self) {
        match self.applied % 7 {
            2 => drop(self.state.freeze().unwrap()),
            4 => self.commit(),
            6 => {
                self.commit();
                if let Some(layer) = self.state.freeze().unwrap() {
                    Base::commit(&self.database, &layer).unwrap();
                }
                let base = Base::last(&self.database).unwrap();
                self.state = State::open(Arc::new(base), "test").unwrap();
            }
            _ => {}
        }
    }

    fn commit(&mut self) {
        if let Some(layer) = self.state.frozen() {
            Base::commit(&self.database, &layer).unwrap();
            self.state.flushed(Base::last(&self.database).unwrap());
        }
    }
}

impl Subject for StateInRedb {
    fn apply(&mut self, envelope: &Envelope, index: AppliedIndex) -> Result<Response, Rejection> {
        let view = self.state.load(&envelope.proposal.reads()).unwrap();
        let context = Context::following(self.last, index, envelope.proposed_at);
        self.last = context.now;
        self.changes.clear();
        let decided = decide(envelope, &view, &context).map(|effects| {
            self.changes = self.state.write(&effects.mutations).unwrap();
            effects.response
        });
        self.applied += 1;
        self.move_layers();
        decided
    }

    fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        self.state
            .dump(&mut |row| {
                rows.push(row);
                true
            })
            .unwrap();
        // Within a kind the engine has an order of its own: chunks lie as they came.
        rows.sort_by_key(order);
        rows
    }

    fn totals(&self) -> Totals {
        self.state.header().totals
    }

    fn changes(&self) -> Vec<Change> {
        self.changes.clone()
    }

    fn view(&self, reads: &ReadSet) -> Option<View> {
        Some(self.state.load(reads).unwrap())
    }
}

/// A row's place in the model's order: by kind, then by key.
fn order(row: &Row) -> (u8, String, String) {
    let key = |kind, id: &dyn ToString, more: &dyn ToString| (kind, id.to_string(), more.to_string());
    match row {
        Row::Node(id, _) => key(0, id, &""),
        Row::Beat(id, _) => key(1, id, &""),
        Row::File(id, _) => key(2, id, &""),
        Row::Chunk(id, _) => key(3, id, &""),
        Row::Sharer(chunk, file, _) => key(4, chunk, file),
        Row::Release(id, _) => key(5, id, &""),
        Row::Request(id, _) => key(6, id, &""),
        Row::Task(node, chunk, _) => key(7, node, chunk),
    }
}

#[test]
fn redb_answers_and_keeps_rows_as_the_model_does() {
    if let Err(failure) = run(StateInRedb::new) {
        panic!("{failure}");
    }
}
