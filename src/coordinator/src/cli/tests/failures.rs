//! How commands end when they do not do what was asked.

use std::io::{self, Write};

use clap::Parser;

use super::{ask, run};
use crate::cli::output::Streams;
use crate::cli::testing::{FakeServer, Reaction};
use crate::cli::{Cli, Command, run_tool};

#[test]
fn exit_codes_tell_scripts_what_happened() {
    for (reaction, code, words) in [
        (
            Reaction::reply(404, r#"{"success":false,"message":"no file f"}"#),
            3,
            "coordinator: no file f (HTTP 404 from ",
        ),
        (
            Reaction::reply(409, r#"{"error":"conflict","details":"in use"}"#),
            2,
            "coordinator: conflict: in use (HTTP 409 from ",
        ),
        (
            Reaction::reply(200, r#"{"success":false,"message":"no"}"#),
            2,
            "coordinator: no (HTTP 200 from ",
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
fn a_change_of_the_replicas_ends_as_it_ended() {
    for (status, body, code, words) in [
        (200, r#"{"success":true,"message":"r2 leads"}"#, 0, ""),
        (
            404,
            r#"{"error":"member not found","details":"no member is called \"r2\""}"#,
            3,
            "no member is called",
        ),
        (
            409,
            r#"{"error":"refused","details":"r2 lags"}"#,
            2,
            "refused: r2 lags",
        ),
        (
            503,
            r#"{"error":"unavailable","details":"no leader"}"#,
            4,
            "nothing was done",
        ),
        (
            504,
            r#"{"error":"unknown outcome","details":"begun"}"#,
            5,
            "see `coordinator cluster status`",
        ),
    ] {
        for line in ["transfer-leader r2", "remove r2", "resize 5"] {
            let server = FakeServer::start([Reaction::reply(status, body)]);
            let url = server.url();
            let options = ["--endpoint", &url, "--timeout", "500ms", "-o", "table"];
            let finished = run(["cluster"].into_iter().chain(line.split(' ')).chain(options));
            assert_eq!(finished.code, code, "{line}: {finished:?}");
            assert!(finished.messages.contains(words), "{line}: {finished:?}");
            let printed = if code == 0 { "r2 leads\n" } else { "" };
            assert_eq!(finished.results, printed, "{line}");
            assert!(code == 4 || server.lines().len() == 1, "{line} is sent once");
        }
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
        let streams = Streams {
            results: &mut Closed(kind),
            messages: &mut messages,
            is_terminal: true,
        };
        assert_eq!(run_tool(tool, streams), code);
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
            Reaction::reply(
                200,
                r#"{"status":"healthy","checks":{"disk":{"status":"healthy","detail":"fast"}}}"#,
            ),
            0,
        ),
        (
            Reaction::reply(
                503,
                r#"{"status":"unhealthy","checks":{"disk":{"status":"unhealthy","detail":"full"}}}"#,
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
            assert_eq!(finished.results, " health  healthy\n disk    healthy  fast\n");
        }
    }
    let finished = run(["health", "--url", &format!("{}/health", FakeServer::gone())]);
    assert_eq!(finished.code, 1);
}
