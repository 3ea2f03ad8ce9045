//! `watch`: it shows what changes, and goes on at another replica where one ends.

use std::io::{self, Write};

use clap::Parser;
use serde_json::{Value, json};

use super::ask;
use crate::cli::output::Streams;
use crate::cli::testing::{FakeServer, Reaction};
use crate::cli::{Cli, Command, run_tool};

/// Reads so many texts and then goes away.
struct Reader {
    left: usize,
    texts: Vec<String>,
}

impl Write for Reader {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(left) = self.left.checked_sub(1) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        self.left = left;
        self.texts.push(String::from_utf8(bytes.to_vec()).unwrap());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The texts and the messages of a watch whose reader goes away after so many texts.
fn watch(endpoints: &[&str], format: &str, options: &str, count: usize) -> (Vec<String>, String) {
    let endpoints = endpoints.join(",");
    let words = [
        "coordinator",
        "watch",
        "-o",
        format,
        "--timeout",
        "5s",
        "--endpoint",
        &endpoints,
    ];
    let words = words.into_iter().chain(options.split_whitespace());
    let Some(Command::Tool(tool)) = Cli::try_parse_from(words).unwrap().command else {
        panic!("this would start the server");
    };
    let mut reader = Reader {
        left: count,
        texts: Vec::new(),
    };
    let mut messages = Vec::new();
    let streams = Streams {
        results: &mut reader,
        messages: &mut messages,
        is_terminal: false,
    };
    assert_eq!(run_tool(tool, streams), 0);
    (reader.texts, String::from_utf8(messages).unwrap())
}

fn event(resume_after: u64, index: u64, node: &str) -> String {
    let data = json!({
        "index": index, "at": "2026-01-31T12:05:01.250Z", "kind": "node", "change": "registered", "node_id": node,
        "status": "active",
    });
    format!("event: node\nid: {resume_after}\ndata: {data}\n\n")
}

fn stream(events: &[String]) -> Reaction {
    Reaction::reply(200, events.concat())
}

#[test]
fn changes_follow_each_other_and_go_on_at_another_replica_without_gap_or_double() {
    let first = FakeServer::start([stream(&[
        ": so far\nid: 4\n\n".to_owned(),
        event(5, 5, "n1"),
        // It ends in the middle of an index.
        event(6, 7, "n2"),
        event(6, 7, "n3"),
    ])]);
    let second = FakeServer::start([stream(&[
        event(6, 7, "n2"),
        event(6, 7, "n3"),
        event(7, 7, "n4"),
        event(8, 8, "n5"),
    ])]);
    let (texts, messages) = watch(
        &[&first.url(), &second.url()],
        "json",
        "--kinds node,file --id n1 --id n/2",
        5,
    );
    let nodes: Vec<Value> = texts
        .iter()
        .map(|text| serde_json::from_str::<Value>(text).unwrap()["node_id"].clone())
        .collect();
    assert_eq!(nodes, ["n1", "n2", "n3", "n4", "n5"]);
    let last: Value = serde_json::from_str(&texts[4]).unwrap();
    assert_eq!((&last["index"], &last["resume_after"]), (&json!(8), &json!(8)));
    assert!(messages.contains("ended the stream; going on"), "{messages}");
    assert_eq!(
        first.lines()[0],
        "GET /api/v1/watch?kinds=node%2Cfile&id=n1&id=n%2F2"
    );
    assert_eq!(
        second.lines()[0],
        "GET /api/v1/watch?after=6&kinds=node%2Cfile&id=n1&id=n%2F2"
    );
}

#[test]
fn a_change_is_one_line_for_people() {
    let chunk = json!({
        "index": 9, "at": "2026-01-31T12:05:01.250Z", "kind": "chunk", "change": "created", "chunk_id": "c\u{1b}",
        "file_id": "f", "size": 1_000, "replicas": [{ "node_id": "n1", "state": "assigned" }],
    });
    let server = FakeServer::start([
        stream(&[format!("event: chunk\nid: 9\ndata: {chunk}\n\n")]),
        stream(&[event(10, 10, "n1")]),
    ]);
    let (texts, _) = watch(&[&server.url()], "table", "--after 8", 1);
    assert_eq!(
        texts,
        ["2026-01-31T12:05:01.250Z  9  chunk created c\\u{1b}  file_id=f  replicas=n1:assigned  size=1000\n"]
    );
    assert_eq!(server.lines()[0], "GET /api/v1/watch?after=8");
}

#[test]
fn silence_is_told_and_survived() {
    let gone = FakeServer::gone();
    let server = FakeServer::start([
        Reaction::reply(503, r#"{"error":"unavailable","details":"it stops"}"#),
        stream(&[event(5, 5, "n1")]),
        stream(&[event(6, 6, "n2")]),
    ]);
    let (texts, messages) = watch(&[&gone, &server.url()], "json", "", 1);
    assert_eq!(texts.len(), 1);
    assert!(
        messages.starts_with("coordinator: no replica answers: http://"),
        "{messages}"
    );
    assert!(messages.contains("(unavailable: it stops)"), "{messages}");
}

#[test]
fn what_is_forgotten_ends_it_and_an_interruption_does_not() {
    let error = |error: &str| {
        format!(
            "event: error\ndata: {}\n\n",
            json!({ "error": error, "details": "why" })
        )
    };
    let server = FakeServer::start([
        stream(&[event(5, 5, "n1"), error("watch interrupted")]),
        stream(&[error("too old")]),
    ]);
    let finished = ask(&server, "json", "watch");
    assert_eq!(finished.code, 2, "{finished:?}");
    assert_eq!(finished.results.lines().count(), 1);
    let messages: Vec<&str> = finished.messages.lines().collect();
    assert_eq!(
        messages,
        [
            "coordinator: watch interrupted: why; going on",
            "coordinator: too old: why; asking whether a replica still has it",
            "coordinator: too old: why"
        ]
    );
    assert_eq!(server.lines()[1], "GET /api/v1/watch?after=5");

    let too_old = r#"{"error":"too old","details":"after index 3"}"#;
    let refusing = FakeServer::start([Reaction::reply(410, too_old)]);
    let refused = ask(&refusing, "json", "watch --after 3");
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(
        refused.messages.contains("too old: after index 3 (HTTP 410"),
        "{refused:?}"
    );
    assert_eq!(refusing.lines().len(), 1, "it was asked again");
    let other = FakeServer::start([Reaction::reply(200, "data: no JSON\n\n")]);
    assert_eq!(ask(&other, "json", "watch").code, 2);
}

#[test]
fn what_one_replica_has_forgotten_another_may_still_have() {
    let too_old = r#"{"error":"too old","details":"after index 3"}"#;
    let first = FakeServer::start([Reaction::reply(410, too_old)]);
    let second = FakeServer::start([stream(&[
        event(4, 4, "n1"),
        format!("event: error\ndata: {too_old}\n\n"),
    ])]);
    let third = FakeServer::start([stream(&[event(5, 5, "n2"), event(6, 6, "n3")])]);
    let urls = [first.url(), second.url(), third.url()];
    let urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    let (texts, messages) = watch(&urls, "json", "--after 3", 2);
    assert_eq!(texts.len(), 2);
    let told: Vec<&str> = messages.lines().collect();
    assert_eq!(
        told,
        ["coordinator: too old: after index 3; asking whether a replica still has it"]
    );
    assert_eq!(third.lines()[0], "GET /api/v1/watch?after=4");
}

#[test]
fn a_problem_that_goes_on_is_told_once() {
    let refusal = Reaction::reply(503, r#"{"error":"unavailable","details":"it stops"}"#);
    let server = FakeServer::start([
        refusal.clone(),
        refusal.clone(),
        refusal,
        stream(&[event(5, 5, "n1"), event(6, 6, "n2")]),
    ]);
    let (texts, messages) = watch(&[&server.url()], "json", "", 1);
    assert_eq!(texts.len(), 1);
    assert_eq!(messages.lines().count(), 1, "{messages}");
}
