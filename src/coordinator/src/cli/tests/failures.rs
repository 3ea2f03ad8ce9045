//! How commands end when they do not do what was asked.

use std::io::{self, Write};

use clap::Parser;

use super::{ask, run};
use crate::cli::testing::{FakeServer, Reaction};
use crate::cli::{Cli, Command, run_tool};

#[test]
fn exit_codes_tell_scripts_what_happened() {
    for (reaction, code, words) in [
        (
            Reaction::reply(404, r#"{"success":false,"message":"no file f"}"#),
            3,
            "not found: no file f",
        ),
        (
            Reaction::reply(409, r#"{"error":"conflict","details":"in use"}"#),
            2,
            "refused: conflict: in use",
        ),
        (
            Reaction::reply(200, r#"{"success":false,"message":"no"}"#),
            2,
            "refused: no",
        ),
        (
            Reaction::reply(503, r#"{"error":"unavailable"}"#),
            4,
            "nothing was done",
        ),
        (
            Reaction::reply(504, r#"{"error":"unknown outcome"}"#),
            5,
            "--idempotency-key k is safe",
        ),
        (Reaction::Close, 5, "--idempotency-key k is safe"),
    ] {
        let server = FakeServer::start([reaction]);
        let url = server.url();
        let finished = run([
            "file",
            "delete",
            "f",
            "--idempotency-key",
            "k",
            "--endpoint",
            &url,
            "--timeout",
            "500ms",
        ]);
        assert_eq!(finished.code, code, "{finished:?}");
        assert_eq!(finished.results, "");
        assert!(finished.messages.contains(words), "{finished:?}");
        assert!(finished.messages.starts_with("coordinator: "), "{finished:?}");
    }
}

#[test]
fn words_of_a_server_cannot_steer_the_terminal() {
    let server = FakeServer::start([Reaction::reply(404, r#"{"message":"\u001b[2J\nno"}"#)]);
    let finished = ask(&server, "table", "file show f");
    assert!(finished.messages.contains("\\u{1b}[2J\\nno"), "{finished:?}");
}

#[test]
fn an_answer_of_another_kind_is_not_taken_for_a_result() {
    for body in ["<html>", r#"{"file_info":3}"#, "[]"] {
        let server = FakeServer::start([Reaction::reply(200, body)]);
        let finished = ask(&server, "table", "file show f");
        assert_eq!(
            (finished.code, finished.results.as_str()),
            (2, ""),
            "{body}: {finished:?}"
        );
        assert!(finished.messages.contains("is not understood"), "{finished:?}");
    }
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    struct Closed(io::ErrorKind);
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    for (kind, code, is_quiet) in [
        (io::ErrorKind::BrokenPipe, 0, true),
        (io::ErrorKind::StorageFull, 1, false),
    ] {
        let Some(Command::Tool(tool)) = Cli::try_parse_from(["coordinator", "config", "--reference"])
            .unwrap()
            .command
        else {
            panic!("this would start the server");
        };
        let mut messages = Vec::new();
        assert_eq!(run_tool(tool, &mut Closed(kind), &mut messages), code);
        assert_eq!(messages.is_empty(), is_quiet);
    }
}

#[test]
fn half_a_status_is_better_than_none() {
    let cluster = r#"{"cluster_id":"c","engine":"raft","leader":null,"members":[]}"#;
    let server = FakeServer::start([
        Reaction::reply(200, cluster),
        Reaction::reply(503, r#"{"error":"no leader"}"#),
    ]);
    let url = server.url();
    let finished = run(["status", "--endpoint", &url, "-o", "table", "--timeout", "500ms"]);
    assert_eq!(finished.code, 4);
    assert!(
        finished.results.contains("none: nothing can be written now"),
        "{finished:?}"
    );
    assert!(finished.messages.contains("no leader"), "{finished:?}");
}

#[test]
fn health_is_0_or_1() {
    for (reaction, code) in [
        (
            Reaction::reply(200, r#"{"status":"healthy","checks":{"disk":{"status":"ok"}}}"#),
            0,
        ),
        (
            Reaction::reply(
                503,
                r#"{"status":"unhealthy","checks":{"disk":{"status":"failed","message":"full"}}}"#,
            ),
            1,
        ),
        (Reaction::reply(404, ""), 1),
        (Reaction::Close, 1),
    ] {
        let server = FakeServer::start([reaction]);
        let url = format!("{}/health", server.url());
        let finished = run(["health", "--url", &url, "-o", "table"]);
        assert_eq!(finished.code, code, "{finished:?}");
        assert_eq!(finished.messages.is_empty(), code == 0, "{finished:?}");
        assert_eq!(server.lines(), ["GET /health"]);
        if code == 0 {
            assert_eq!(finished.results, " health  healthy\n disk    ok\n");
        }
    }
    let finished = run(["health", "--url", &format!("{}/health", FakeServer::gone())]);
    assert_eq!(finished.code, 1);
}
