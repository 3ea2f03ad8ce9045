//! No statement of the service reads more rows than it needs, however many there are.

use std::collections::BTreeMap;

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use zephyrfs_core::Command;
use zephyrfs_core::command::DeleteFile;
use zephyrfs_core::conformance::sequences;
use zephyrfs_core::engine::{Engine as _, EngineError};
use zephyrfs_core::id::FileId;

use super::silence::asked;
use super::support::{PATIENCE, QUICK, eventually, file, options, proposal, register_nodes, start_with};
use crate::PostgresEngine;
use crate::testing::Server;

const NAME: &str = "indexes";

/// So many rows of each kind there are besides the ones that are spoken of.
const ROWS: u32 = 30_000;

/// More than any statement reads that finds its rows by an index: the most are the copies of the largest file here, and events that
/// are forgotten at once.
const FEW: u64 = 15_000;

/// So many random sequences of commands.
const SEQUENCES: usize = 40;

/// What reads all rows of a table, on purpose: the nodes are kept in memory, with their heartbeats; and an index that finds silent
/// ones would be one more thing to write with every heartbeat.
const ON_PURPOSE: [(&str, &str); 3] = [
    ("ORDER BY nodes.node_id", "nodes"),
    ("ORDER BY nodes.node_id", "heartbeats"),
    ("WITH late AS MATERIALIZED", "heartbeats"),
];

/// Tables, of which row copies are made, and what is another key: rows of the kind of which there are the most.
const TABLES: [(&str, &str, &str); 11] = [
    ("nodes", "node_id = 'n1' DESC", "'node_id', node_id || number"),
    (
        "heartbeats",
        "node_id = 'n1' DESC",
        "'node_id', node_id || number",
    ),
    ("files", "file_id", "'file_id', file_id || number"),
    (
        "chunks",
        "home_file_id IS NOT NULL DESC",
        // Before all others.
        "'chunk_id', '!' || number || chunk_id",
    ),
    ("chunk_replicas", "chunk_id", "'chunk_id', chunk_id || number"),
    ("chunk_sharers", "chunk_id", "'chunk_id', chunk_id || number"),
    ("requests", "request_key", "'request_key', request_key || number"),
    ("tasks", "deadline DESC", "'chunk_id', chunk_id || number"),
    ("node_usage", "node_id", "'node_id', node_id || number"),
    ("releases", "release_id", "'release_id', gen_random_uuid()"),
    (
        "events",
        "place",
        "'event_id', gen_random_uuid(), 'place', 1000000 + number",
    ),
];

/// Does what random sequences of commands say, as far as the rules let it.
async fn random_commands(engine: &PostgresEngine, runner: &mut TestRunner) {
    for _ in 0..SEQUENCES {
        let sequence = sequences().new_tree(runner).unwrap().current();
        for (_, envelope) in sequence.steps() {
            // No text may hold a zero here, and the suite has such.
            if format!("{envelope:?}").contains("\\0") {
                continue;
            }
            let mut one = proposal(envelope.proposal.command.clone());
            one.idempotency.clone_from(&envelope.proposal.idempotency);
            match engine.execute(one, PATIENCE).await {
                Ok(_) | Err(EngineError::Rejected { .. }) => {}
                Err(error) => panic!("{envelope:?}: {error}"),
            }
        }
    }
}

/// Fills each table.
fn fill(server: &Server) {
    for (table, kind, key) in TABLES {
        let fill = format!(
            "INSERT INTO {table} SELECT (jsonb_populate_record(one, jsonb_build_object({key}))).* FROM {table} AS one, generate_series(1, {ROWS}) AS number \
             WHERE one.ctid = (SELECT ctid FROM {table} ORDER BY {kind} LIMIT 1)"
        );
        server.sql(NAME, &fill).unwrap();
        let count = server.sql(NAME, &format!("SELECT count(*) FROM {table}"));
        assert!(count.unwrap().parse::<u32>().unwrap() >= ROWS, "{table}");
    }
    let place = "UPDATE coordinator SET last_place = (SELECT max(place) FROM events)";
    server.sql(NAME, place).unwrap();
}

/// From now on the server tells of every statement how many rows were read where.
fn explain(server: &Server) {
    for setting in [
        "session_preload_libraries = auto_explain",
        "auto_explain.log_min_duration = 0",
        "auto_explain.log_analyze = on",
        "auto_explain.log_timing = off",
    ] {
        let set = format!("ALTER DATABASE {NAME} SET {setting}");
        server
            .sql("postgres", &format!("LOAD 'auto_explain'; {set}"))
            .unwrap();
    }
}

/// The number that follows words in a line.
fn number(line: &str, words: &str) -> Option<f64> {
    let (_, rest) = line.split_once(words)?;
    let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.');
    rest[..end.unwrap_or(rest.len())].parse().ok()
}

/// How many rows each statement read at most of each table in one place, by its text and the table.
fn read(log: &str) -> BTreeMap<(String, String), u64> {
    let mut most = BTreeMap::new();
    for told in log.split("  plan:\n").skip(1) {
        let told: Vec<&str> = told.lines().take_while(|line| line.starts_with('\t')).collect();
        let plan = told
            .iter()
            .position(|line| line.contains("(cost="))
            .unwrap_or(told.len());
        let statement = told[..plan].join("\n");
        let (mut table, mut rows, mut loops) = (String::new(), 0.0, 0.0);
        for line in &told[plan..] {
            if line.contains("(cost=") {
                let of_table = line.split_once(" on ").map(|(_, table)| table.split_whitespace());
                table = of_table
                    .and_then(|mut words| words.next())
                    .unwrap_or_default()
                    .to_owned();
                rows = number(line, "(actual rows=").unwrap_or_default();
                loops = number(line, "loops=").unwrap_or_default();
            } else if line.contains("Rows Removed by") {
                rows += number(line, ": ").unwrap_or_default();
            }
            // What joins or sorts reads nothing itself.
            if table.is_empty() {
                continue;
            }
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a count of rows"
            )]
            let read = (rows * loops) as u64;
            let entry = most.entry((statement.clone(), table.clone())).or_insert(read);
            *entry = read.max(*entry);
        }
    }
    most
}

#[tokio::test(flavor = "multi_thread")]
async fn no_statement_reads_more_rows_than_it_needs() {
    let server = Server::start(&QUICK);
    let url = server.url(NAME);
    let mut runner = TestRunner::deterministic();
    let engine = start_with(options(&url, "one")).await;
    register_nodes(&engine).await;
    random_commands(&engine, &mut runner).await;
    // More chunks than are let go of at once.
    engine.execute(file("large", 2_000), PATIENCE).await.unwrap();
    let large = FileId::from("large");
    let delete = proposal(Command::DeleteFile(DeleteFile { file: large }));
    engine.execute(delete, PATIENCE).await.unwrap();
    eventually("all of it is told", || {
        server
            .sql(NAME, "SELECT count(*) FROM events WHERE place IS NULL")
            .unwrap()
            == "0"
    })
    .await;
    engine.stop().await;
    fill(&server);
    explain(&server);

    let engine = start_with(options(&url, "one")).await;
    // A dump reads everything, and so it should.
    for (name, asked) in asked(&engine).into_iter().filter(|(name, _)| *name != "dump") {
        assert_eq!(asked.await, Ok(()), "{name}");
    }
    random_commands(&engine, &mut runner).await;
    engine.stop().await;
    let mut read = read(&server.log());
    for (table, ..) in TABLES {
        assert!(
            read.keys().any(|(_, of)| of == table),
            "nothing was asked of {table}"
        );
    }
    read.retain(|(statement, table), rows| {
        let is_on_purpose = |(words, of): &(&str, &str)| statement.contains(words) && table == of;
        *rows > FEW && !ON_PURPOSE.iter().any(is_on_purpose)
    });
    assert!(read.is_empty(), "rows that are read: {read:#?}");
}
