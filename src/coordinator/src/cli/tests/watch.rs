//! `cluster status --watch`: it shows one status after the other, on a screen or below each other, and survives silence.

use std::io::{self, Write};

use clap::Parser;
use serde_json::{Value, json};

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
fn watch(endpoints: &[&str], format: &str, is_terminal: bool, count: usize) -> (Vec<String>, String) {
    let endpoints = endpoints.join(",");
    let words = [
        "coordinator",
        "cluster",
        "status",
        "--watch",
        "--interval",
        "100ms",
        "--timeout",
        "500ms",
        "-o",
        format,
        "--endpoint",
        &endpoints,
    ];
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
        is_terminal,
    };
    assert_eq!(run_tool(tool, streams), 0);
    (reader.texts, String::from_utf8(messages).unwrap())
}

fn led_by(leader: &str) -> Reaction {
    let status = json!({
        "cluster_id": "c", "engine": "raft", "leader": leader, "leader_address": format!("{leader}:8080"), "term": 3,
        "commit_index": 12, "applied_index": 11, "failure_tolerance": 1,
        "members": [{ "name": leader, "role": "voter", "address": "h:8092", "healthy": true, "lag": 0 }],
    });
    Reaction::reply(200, status.to_string())
}

#[test]
fn statuses_follow_each_other() {
    let server = FakeServer::start([led_by("r1"), led_by("r2")]);
    let url = server.url();
    let (texts, messages) = watch(&[&url], "table", false, 2);
    assert_eq!(messages, "");
    let [first, second] = &texts[..] else {
        panic!("not two: {texts:?}")
    };
    let (headline, table) = first.split_once("\n\n").unwrap();
    assert!(headline.ends_with(&format!("Z  as {url} sees it")), "{headline}");
    assert_eq!(
        table,
        concat!(
            " Cluster   c (raft)\n",
            " Leader    r1, gRPC at r1:8080\n",
            " Term      3\n",
            " Applied   11 of 12\n",
            " Can lose  1 replica\n",
            "\n",
            " REPLICA  ROLE    ADDRESS  HEALTHY  BEHIND\n",
            " r1       leader  h:8092   yes           0\n",
        )
    );
    assert!(
        second.starts_with("\n ") && second.contains(" Leader    r2"),
        "{second}"
    );
}

#[test]
fn json_is_one_line_for_each_status() {
    let server = FakeServer::start([led_by("r1"), led_by("r2")]);
    let (texts, _) = watch(&[&server.url()], "json", true, 2);
    let leaders: Vec<Value> = texts
        .iter()
        .map(|text| {
            assert_eq!(text.lines().count(), 1, "{text}");
            serde_json::from_str::<Value>(text).unwrap()["leader"].clone()
        })
        .collect();
    assert_eq!(leaders, ["r1", "r2"]);
}

#[test]
fn a_screen_is_drawn_over_the_one_before() {
    let server = FakeServer::start([led_by("r1"), led_by("r2")]);
    let (texts, _) = watch(&[&server.url()], "table", true, 2);
    assert!(
        texts[0].starts_with("\x1b[2J\x1b[H ") && texts[0].contains(" r1 "),
        "{texts:?}"
    );
    assert!(
        texts[1].starts_with("\x1b[H ") && texts[1].contains(" r2 "),
        "{texts:?}"
    );
    for text in &texts {
        assert!(
            text.ends_with("\x1b[K\n\x1b[J"),
            "what is longer below must go: {text:?}"
        );
        assert!(
            text.lines()
                .all(|line| line.ends_with("\x1b[K") || line == "\x1b[J"),
            "{text:?}"
        );
    }
}

#[test]
fn another_replica_goes_on_where_one_falls_silent() {
    let first = FakeServer::start([led_by("r1"), Reaction::Close]);
    let second = FakeServer::start([led_by("r2")]);
    let (texts, messages) = watch(&[&first.url(), &second.url()], "table", false, 4);
    assert_eq!(messages, "");
    let from_second = format!("as {} sees it", second.url());
    assert!(texts[0].contains("as ") && !texts[0].contains(&from_second));
    assert!(
        texts[1..].iter().all(|text| text.contains(&from_second)),
        "{texts:?}"
    );
    assert_eq!(first.lines().len(), 2, "who is silent is not asked each time");
}

#[test]
fn silence_is_told_and_survived() {
    let server = FakeServer::start([led_by("r1"), Reaction::Hang, led_by("r2")]);
    let (texts, messages) = watch(&[&server.url()], "table", false, 2);
    assert!(
        messages.starts_with("coordinator: no replica answers: http://"),
        "{messages}"
    );
    assert_eq!(messages.lines().count(), 1, "{messages}");
    assert!(texts[1].contains(" Leader    r2"), "{texts:?}");

    let server = FakeServer::start([led_by("r1"), Reaction::Hang]);
    let (texts, messages) = watch(&[&server.url()], "table", true, 2);
    assert_eq!(messages, "", "nothing may disturb the screen");
    let (problem, before) = texts[1].split_once(" Seen last:").unwrap();
    assert!(problem.contains("no replica answers: http://"), "{problem}");
    assert!(before.contains(" Leader    r1"), "{before}");
}

#[test]
fn what_is_no_coordinator_ends_it() {
    let server = FakeServer::start([Reaction::reply(404, "{}")]);
    let url = server.url();
    let finished = super::run(["cluster", "status", "--watch", "--endpoint", &url]);
    assert_eq!(
        (finished.code, finished.results.as_str()),
        (3, ""),
        "{finished:?}"
    );
}
