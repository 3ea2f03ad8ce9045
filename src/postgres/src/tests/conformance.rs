//! The rules' own suite over the tables: random command sequences beside the in-memory model.

use std::sync::{Arc, Mutex};

use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Executor as _, query_scalar};
use tokio::runtime::Runtime;
use zephyrfs_core::conformance::{Subject, run};
use zephyrfs_core::event::Change;
use zephyrfs_core::row::Row;
use zephyrfs_core::units::{AppliedIndex, Timestamp};
use zephyrfs_core::{Context, Envelope, ReadSet, Rejection, Response, Totals, View, decide};

use super::support::database;
use crate::dump::dump;
use crate::error::StoreError;
use crate::load::{Locking, load};
use crate::schema;
use crate::write::{Decided, write};

/// A database that is emptied for each sequence.
struct Database {
    runtime: Runtime,
    connection: Mutex<PgConnection>,
}

/// The tables, at a time that the suite sets.
struct Tables {
    database: Arc<Database>,
    last: Timestamp,
    changes: Vec<Change>,
}

impl Database {
    fn new(name: &str) -> Arc<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let connection = runtime.block_on(async {
            let mut connection = PgConnection::connect(&database(name)).await.unwrap();
            schema::prepare(&mut connection, "test").await.unwrap();
            connection
        });
        let connection = Mutex::new(connection);
        Arc::new(Self { runtime, connection })
    }
}

impl Tables {
    fn new(database: &Arc<Database>) -> Self {
        let tables = Self {
            database: Arc::clone(database),
            last: Timestamp::EPOCH,
            changes: Vec::new(),
        };
        tables.run(async |connection| {
            let everything = "TRUNCATE nodes, heartbeats, files, chunks, chunk_replicas, chunk_sharers, releases, requests, \
                tasks, events, node_usage";
            connection.execute(everything).await.unwrap();
        });
        tables
    }

    fn run<T>(&self, work: impl AsyncFnOnce(&mut PgConnection) -> T) -> T {
        let mut connection = self.database.connection.lock().unwrap();
        self.database.runtime.block_on(work(&mut connection))
    }
}

impl Subject for Tables {
    fn can_hold(&self, envelope: &Envelope) -> bool {
        // Every text of a command, as its binary form has it.
        !format!("{envelope:?}").contains("\\0")
    }

    fn apply(&mut self, envelope: &Envelope, index: AppliedIndex) -> Result<Response, Rejection> {
        let context = Context::following(self.last, index, envelope.proposed_at);
        self.last = context.now;
        let decided = self.run(async |connection| {
            let mut transaction = connection
                .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ")
                .await
                .unwrap();
            let loaded = load(&mut transaction, &envelope.proposal.reads(), Locking::No)
                .await
                .unwrap();
            let effects = decide(envelope, &loaded.view, &context)?;
            let decided = Decided {
                id: envelope.proposal.id,
                mutations: &effects.mutations,
            };
            let mut written = write(&mut transaction, &[decided], &loaded).await.unwrap();
            transaction.commit().await.unwrap();
            Ok((effects.response, written.remove(0).changes))
        });
        self.changes.clear();
        let (response, changes) = decided?;
        self.changes = changes;
        Ok(response)
    }

    fn rows(&self) -> Vec<Row> {
        self.run(async |connection| {
            let mut rows = Vec::new();
            let mut take = |row| {
                rows.push(row);
                true
            };
            dump(connection, &mut take).await.unwrap();
            rows
        })
    }

    fn totals(&self) -> Totals {
        self.run(async |connection| {
            let deltas: Vec<Vec<i64>> = query_scalar("SELECT totals_delta FROM events")
                .fetch_all(connection)
                .await
                .unwrap();
            let mut counts = [0_i64; Totals::COUNTS];
            for delta in deltas {
                counts
                    .iter_mut()
                    .zip(delta)
                    .for_each(|(count, delta)| *count += delta);
            }
            Totals::from_counts(counts.map(|count| u64::try_from(count).unwrap()))
        })
    }

    fn changes(&self) -> Vec<Change> {
        self.changes.clone()
    }

    fn view(&self, reads: &ReadSet) -> Option<View> {
        let loaded: Result<_, StoreError> =
            self.run(async |connection| load(connection, reads, Locking::No).await);
        Some(loaded.unwrap().view)
    }
}

#[test]
fn postgres_answers_and_keeps_rows_as_the_model_does() {
    let database = Database::new("conformance");
    if let Err(failure) = run(|| Tables::new(&database)) {
        panic!("{failure}");
    }
}
