use std::io::{self, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use serde_json::{Value as Json, json};
use tracing::{debug, error, info, trace, warn};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;

use super::super::json as json_field;
use super::super::layer::{Format, LineLayer};
use super::{json_line, lines_at, noon, parsed};

#[test]
fn a_registration_is_logged_to_the_letter() {
    let addresses = vec!["127.0.0.1:8080".to_owned()];
    let line = json_line(|| {
        info!(
            node_id = "node-123",
            addresses = json_field(&addresses),
            capacity = 1_000_000_000_i64,
            "Node registered"
        );
    });
    assert_eq!(
        line,
        r#"{"level":"info","time":"2026-11-22T17:30:00.123Z","msg":"Node registered","nodeID":"node-123","addresses":["127.0.0.1:8080"],"capacity":1000000000}"#
    );
}

#[test]
fn levels_are_four() {
    let level = |act: fn()| parsed(act)["level"].clone();
    assert_eq!(level(|| error!("x")), "error");
    assert_eq!(level(|| warn!("x")), "warn");
    assert_eq!(level(|| info!("x")), "info");
    assert_eq!(level(|| debug!("x")), "debug");
    assert_eq!(level(|| trace!("x")), "debug");
}

#[test]
fn values_keep_their_types() {
    let line = parsed(|| {
        info!(
            small = -1_i8,
            big = u64::MAX,
            huge = u128::MAX,
            half = 0.5,
            nan = f64::NAN,
            yes = true,
            absent = None::<u64>,
            present = Some("x"),
            shown = %7,
            debugged = ?Some("x"),
        );
    });
    assert_eq!(
        line,
        json!({
            "level": "info", "time": "2026-11-22T17:30:00.123Z", "msg": "",
            "small": -1, "big": u64::MAX, "huge": u128::MAX.to_string(), "half": 0.5, "nan": "NaN", "yes": true,
            "present": "x", "shown": "7", "debugged": "Some(\"x\")",
        })
    );
}

#[test]
fn only_a_json_field_becomes_json() {
    let list = r#"["a",1]"#;
    let line = parsed(|| {
        info!(text = list, shown = %list, debugged = ?["a"], real = json_field(&json!(["a", {"b": null}])));
    });
    assert_eq!(line["text"], list);
    assert_eq!(line["shown"], list);
    assert_eq!(line["debugged"], r#"["a"]"#);
    assert_eq!(line["real"], json!(["a", {"b": null}]));
}

#[derive(Debug, thiserror::Error)]
#[error("cannot save")]
struct Unsaved(#[source] io::Error);

#[test]
fn an_error_is_logged_with_its_causes() {
    let error = Unsaved(io::Error::other("disk full"));
    let line = parsed(|| error!(error = &error as &dyn std::error::Error, "failed"));
    assert_eq!(line["error"], "cannot save: disk full");
    let told = io::Error::other(io::Error::other("disk full"));
    let line = parsed(|| error!(error = &told as &dyn std::error::Error, "failed"));
    assert_eq!(line["error"], "disk full");
}

#[test]
fn no_key_comes_twice() {
    let line = json_line(|| info!(level = 1, time = 2, msg = 3, node_id = "a", nodeID = "b", "hello"));
    assert_eq!(
        line,
        r#"{"level":"info","time":"2026-11-22T17:30:00.123Z","msg":"hello","level_":1,"time_":2,"msg_":3,"nodeID":"b"}"#
    );
}

#[test]
fn foreign_text_cannot_forge_a_line() {
    let evil = "x\n{\"level\":\"error\"}\r\u{0}\u{1b}[2J\u{7f}\u{85}\u{9b}\u{2028}\u{202e}\"\\";
    let line = json_line(|| info!(node_id = evil, names = json_field(&[evil]), "registered {evil}"));
    assert!(
        line.chars()
            .all(|c| !c.is_control() && !('\u{2028}'..='\u{202e}').contains(&c)),
        "{line}"
    );
    let line: Json = serde_json::from_str(&line).unwrap();
    assert_eq!(line["level"], "info");
    assert_eq!(line["nodeID"], evil);
    assert_eq!(line["names"], json!([evil]));
    assert_eq!(line["msg"], format!("registered {evil}"));
}

#[test]
fn a_huge_text_is_cut() {
    let huge = "ü".repeat(1_000_000);
    let line = parsed(|| info!(huge, debugged = ?huge, "{huge}"));
    for text in [&line["huge"], &line["debugged"], &line["msg"]] {
        let text = text.as_str().unwrap();
        assert!(text.len() < 9000 && text.ends_with("… (cut)"), "{}", text.len());
    }
}

#[test]
fn a_clock_far_off_does_not_stop_the_log() {
    let time = |now: fn() -> SystemTime| {
        let lines = lines_at(now, Format::Json, EnvFilter::new("info"), || info!("x"));
        serde_json::from_str::<Json>(&lines[0]).unwrap()["time"].clone()
    };
    assert_eq!(
        time(|| UNIX_EPOCH - Duration::from_secs(1)),
        "1970-01-01T00:00:00.000Z"
    );
    assert_eq!(
        time(|| UNIX_EPOCH + Duration::from_secs(1 << 40)),
        "9999-12-31T23:59:59.000Z"
    );
}

struct Broken;

impl Write for Broken {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
}

#[test]
fn a_writer_that_fails_does_not_panic() {
    let subscriber = tracing_subscriber::registry().with(LineLayer::new(Format::Json, || Broken, noon));
    tracing::subscriber::with_default(subscriber, || info!("unheard"));
}

proptest! {
    #[test]
    fn whatever_is_logged_is_valid_json_and_comes_back(text in any::<String>(), number in any::<f64>()) {
        let line = json_line(|| info!(text, number, shown = %text, list = json_field(&[&text]), "{text}"));
        prop_assert!(!line.contains(char::is_control));
        let line: Json = serde_json::from_str(&line).unwrap();
        for value in [&line["text"], &line["shown"], &line["list"][0], &line["msg"]] {
            prop_assert_eq!(value.as_str(), Some(text.as_str()));
        }
    }
}
