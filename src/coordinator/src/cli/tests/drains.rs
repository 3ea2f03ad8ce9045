//! Nodes are taken out of service, waited for, and asked about; repair is looked at and let go on.

use std::time::Duration;

use serde_json::{Value, json};

use super::{ask, run};
use crate::cli::arguments::ClientArgs;
use crate::cli::drain::wait_unless;
use crate::cli::output::{Format, Streams};
use crate::cli::session::Session;
use crate::cli::testing::{FakeServer, Reaction};

const DRAINING: &str = r#"{"success":true,"message":"Drain is on","status":"draining"}"#;

fn progress(left: i64, drained: bool, chunks: &Value) -> Reaction {
    let body = json!({
        "node_id": "n1", "status": "draining", "progress_percent": (4 - left) as f64 * 25.0, "copies_left": left,
        "bytes_left": left * 1_024, "copies_at_start": 4, "bytes_at_start": 4_096, "since": "2026-01-31T12:05:01.250Z",
        "eta_seconds": 90, "then": "stay", "drained": drained, "drained_at": null, "chunks": chunks,
    });
    Reaction::reply(200, body.to_string())
}

fn drained(status: &str, then: &str) -> Reaction {
    let body = json!({
        "node_id": "n1", "status": status, "progress_percent": 100.0, "since": "2026-01-31T12:05:01.250Z", "then": then,
        "drained": true, "drained_at": "2026-01-31T12:05:01.250Z", "chunks": [],
    });
    Reaction::reply(200, body.to_string())
}

#[test]
fn a_drain_is_waited_for_until_the_node_can_be_switched_off() {
    let server = FakeServer::start([
        Reaction::reply(200, DRAINING),
        progress(4, false, &json!([])),
        progress(1, false, &json!([])),
        progress(0, false, &json!([])),
        progress(0, true, &json!([])),
    ]);
    let finished = ask(&server, "table", "node drain n1 --force --wait --interval 100ms");
    assert_eq!(finished.code, 0, "{finished:?}");
    assert_eq!(finished.results, "Drain is on\nn1 can be switched off\n");
    let messages: Vec<&str> = finished.messages.lines().collect();
    assert_eq!(
        messages[..2],
        [
            "coordinator: 0.0 % done, 4 of 4 copies left (4.0 KiB), 1m 30s to go",
            "coordinator: 75.0 % done, 1 of 4 copies left (1.0 KiB), 1m 30s to go",
        ]
    );
    let received = server.received();
    assert_eq!(received[0].line, "POST /api/v1/nodes/n1/drain");
    assert_eq!(received[0].body, r#"{"force":true}"#);
    assert_eq!(received.len(), 5);
}

#[test]
fn a_drain_that_does_not_move_says_what_it_waits_for() {
    let stuck = json!([{"chunk_id": "c1", "reason": "no node can take a copy: 2 x it is inactive"}]);
    let mut reactions = vec![Reaction::reply(200, DRAINING)];
    reactions.extend((0..11).map(|_| progress(2, false, &json!([]))));
    reactions.push(progress(2, false, &stuck));
    reactions.extend((0..9).map(|_| progress(2, false, &json!([]))));
    // What was said is not said again; what is new is.
    let more = json!([stuck[0], {"chunk_id": "c2", "reason": "its turn has not come"}]);
    reactions.extend([progress(2, false, &more), progress(0, true, &json!([]))]);
    let server = FakeServer::start(reactions);
    let finished = ask(&server, "table", "node drain n1 --wait --interval 100ms");
    assert_eq!(finished.code, 0, "{finished:?}");
    let told = "coordinator: chunk c1 is left: no node can take a copy: 2 x it is inactive\n";
    assert_eq!(finished.messages.matches(told).count(), 1, "{finished:?}");
    let new = "coordinator: chunk c2 is left: its turn has not come\n";
    assert_eq!(finished.messages.matches(new).count(), 1, "{finished:?}");
    let asked = server.lines();
    assert_eq!(asked[11], "GET /api/v1/nodes/n1/drain");
    assert_eq!(asked[12], "GET /api/v1/nodes/n1/drain?chunks=3");
    assert_eq!(asked[22], "GET /api/v1/nodes/n1/drain?chunks=3");
}

#[test]
fn a_decommission_is_done_when_the_node_was_unregistered_for_it() {
    let begun = Reaction::reply(200, DRAINING);
    // Drained before it was decommissioned, it is registered for a moment still.
    let server = FakeServer::start([
        begun.clone(),
        progress(1, false, &json!([])),
        drained("draining", "remove"),
        drained("inactive", "remove"),
    ]);
    let finished = ask(&server, "table", "node decommission n1 --wait --interval 100ms");
    assert_eq!(finished.code, 0, "{finished:?}");
    assert!(
        finished.results.ends_with("n1 can be switched off\n"),
        "{finished:?}"
    );
    assert_eq!(server.lines()[0], "POST /api/v1/nodes/n1/decommission");
    assert_eq!(server.received()[0].body, "{}");
    assert_eq!(server.lines().len(), 4);

    // It was unregistered and has registered again since.
    let server = FakeServer::start([begun, drained("draining", "stay")]);
    let finished = ask(&server, "table", "node decommission n1 --wait");
    assert_eq!((finished.code, server.lines().len()), (0, 2), "{finished:?}");
}

#[test]
fn a_node_that_goes_before_its_drain_is_over_must_not_be_switched_off() {
    let begun = Reaction::reply(200, DRAINING);
    let gone = Reaction::reply(
        404,
        r#"{"error":"node unregistered","details":"node n1 was unregistered"}"#,
    );
    for verb in ["drain", "decommission"] {
        let half = progress(2, false, &json!([]));
        let server = FakeServer::start([begun.clone(), half, gone.clone()]);
        let finished = ask(
            &server,
            "table",
            &format!("node {verb} n1 --wait --interval 100ms"),
        );
        assert_eq!(finished.code, 3, "{finished:?}");
        assert!(!finished.results.contains("can be switched off"), "{finished:?}");
        for words in [
            "n1 was unregistered before its drain was over: do not switch it off",
            "`coordinator why node n1`",
            "node unregistered: node n1 was unregistered",
        ] {
            assert!(finished.messages.contains(words), "{words}: {finished:?}");
        }
    }
    let cancelled = Reaction::reply(409, r#"{"error":"not draining","details":"node n1"}"#);
    let server = FakeServer::start([begun, cancelled]);
    assert_eq!(ask(&server, "table", "node decommission n1 --wait").code, 2);
}

#[test]
fn a_question_that_takes_too_long_is_not_asked_again_at_once() {
    let mut reactions = vec![Reaction::reply(200, DRAINING)];
    reactions.extend((0..11).map(|_| progress(2, false, &json!([]))));
    reactions.extend([
        Reaction::Hang,
        progress(1, false, &json!([])),
        progress(0, true, &json!([])),
    ]);
    let server = FakeServer::start(reactions);
    let url = server.url();
    let line = "node drain n1 --wait --interval 100ms -o table --timeout 500ms --endpoint";
    let finished = run(line.split(' ').chain([url.as_str()]));
    assert_eq!(finished.code, 0, "{finished:?}");
    assert!(finished.messages.contains("75.0 % done"), "{finished:?}");
    let asked = server.lines();
    assert_eq!(asked[12], "GET /api/v1/nodes/n1/drain?chunks=3");
    assert_eq!(asked[13], "GET /api/v1/nodes/n1/drain");
}

#[test]
fn a_hopeless_drain_is_refused_and_not_waited_for() {
    let refusal = r#"{"success":false,"message":"node n1 is not drained: 2 copies","status":""}"#;
    let server = FakeServer::start([Reaction::reply(409, refusal)]);
    let refused = ask(&server, "table", "node drain n1 --wait");
    assert_eq!(refused.code, 2);
    assert!(
        refused.messages.contains("node n1 is not drained: 2 copies"),
        "{refused:?}"
    );
    assert_eq!(server.lines().len(), 1);
}

#[test]
fn a_drain_is_shown_and_cancelled() {
    let left = json!([{"chunk_id": "c1", "reason": "it waits its turn"}]);
    let server = FakeServer::start([progress(1, false, &left)]);
    let shown = ask(&server, "table", "node drain-status n1 --chunks 5");
    for words in ["75.0 %", "1 copies, 1.0 KiB", "1m 30s", "it waits its turn"] {
        assert!(shown.table().contains(words), "{words}: {shown:?}");
    }
    assert_eq!(server.lines(), ["GET /api/v1/nodes/n1/drain?chunks=5"]);
    // How many may be asked for is the coordinator's to say.
    let refusal = r#"{"error":"invalid request","details":"chunks: must be at most 100"}"#;
    let server = FakeServer::start([Reaction::reply(400, refusal)]);
    let refused = ask(&server, "table", "node drain-status n1 --chunks 1001");
    assert_eq!(refused.code, 2, "{refused:?}");
    assert_eq!(server.lines(), ["GET /api/v1/nodes/n1/drain?chunks=1001"]);
    let server = FakeServer::start([Reaction::reply(200, DRAINING)]);
    assert_eq!(ask(&server, "table", "node cancel-drain n1").code, 0);
    assert_eq!(server.lines(), ["POST /api/v1/nodes/n1/cancel-drain"]);
}

#[test]
fn a_stopped_repair_is_shown_and_let_go_on() {
    let status = json!({
        "brake": {"since": "2026-01-31T12:05:01.250Z", "silent": ["a", "b"], "of": 3, "domains": ["zone z"]},
        "report": {
            "last_pass": {
                "took_seconds": 1.25, "ended": "2026-01-31T12:05:01.250Z", "chunks": 7, "by_copies": {"2": 7},
                "waiting": {"last_copy": {"chunks": 3, "bytes": 2_048, "oldest_seconds": 60}},
                "awaiting_nodes": 4, "without_source": 1, "unconfirmed": 37,
            },
            "running_pass": null, "rebalancing": false,
        },
    });
    let server = FakeServer::start([Reaction::reply(200, status.to_string())]);
    let shown = ask(&server, "table", "repair status");
    for words in [
        "2 of 3: a, b",
        "zone z",
        "2: 7",
        "last_copy",
        "2.0 KiB",
        "Not brought yet",
        "37",
        "as of then",
        "repair release",
    ] {
        assert!(shown.table().contains(words), "{words}: {shown:?}");
    }
    assert_eq!(server.lines(), ["GET /api/v1/repair"]);
    let going =
        json!({"success": true, "message": "Repair goes on; 2 silent nodes are not waited for", "nodes": 2});
    let server = FakeServer::start([Reaction::reply(200, going.to_string())]);
    let released = ask(&server, "table", "repair release");
    assert_eq!(
        released.table(),
        "Repair goes on; 2 silent nodes are not waited for\n"
    );
    assert_eq!(server.lines(), ["POST /api/v1/repair/release"]);
}

#[test]
fn a_release_is_repeated_and_its_outcome_looked_up_where_it_is_shown() {
    let going = json!({"success": true, "message": "Repair is not stopped", "nodes": 0});
    let lost = [Reaction::Close, Reaction::reply(200, going.to_string())];
    let server = FakeServer::start(lost);
    let released = ask(&server, "table", "repair release");
    assert_eq!((released.code, server.lines().len()), (0, 2), "{released:?}");
    assert_eq!(server.received()[1].key, None);

    let server = FakeServer::start([Reaction::Close]);
    let url = server.url();
    let options = ["repair", "release", "--endpoint", &url, "--timeout", "500ms"];
    let unknown = run(options);
    assert_eq!(unknown.code, 5, "{unknown:?}");
    let advice = "`coordinator repair status` shows it, and repeating the command is safe";
    assert!(unknown.messages.contains(advice), "{unknown:?}");
    assert!(!unknown.messages.contains("cluster status"), "{unknown:?}");
}

#[test]
fn an_explanation_begins_with_its_sentence() {
    let why = json!({
        "summary": "Chunk c lacks copies.", "kind": "chunk", "id": "c", "obstacles": ["one", "two"],
        "chunk": {
            "copies_wanted": 3, "copies_sure": 1, "copies_missing": 2, "class": "last_copy",
            "replicas": [{"node_id": "n1", "state": "stored", "node_status": null, "counts": "a copy"}],
        },
        "tasks": [{"id": "t", "type": "replicate", "chunk_id": "c", "node_id": "n2", "state": "issued"}],
        "events": [{"index": 9, "at": "2026-01-31T12:05:01.250Z", "kind": "chunk", "change": "created", "chunk_id": "c"}],
        "events_after": 4,
    });
    let server = FakeServer::start([Reaction::reply(200, why.to_string())]);
    let told = ask(&server, "table", "why chunk c");
    let text = told.table();
    assert!(
        text.starts_with("Chunk c lacks copies.\n\n- one\n- two\n"),
        "{text}"
    );
    for words in [
        "1 of 3",
        "last_copy",
        "a copy",
        "issued",
        "after index 4",
        "chunk created c",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert_eq!(server.lines(), ["GET /api/v1/why/chunk/c"]);
    assert_eq!(ask(&server, "json", "why node c").json(), why);
    let unknown = FakeServer::start([Reaction::reply(
        404,
        r#"{"error":"task not found","details":"no task"}"#,
    )]);
    assert_eq!(ask(&unknown, "table", "why task 00").code, 3);
}

#[tokio::test]
async fn who_waits_no_longer_is_told_that_the_drain_goes_on() {
    let server = FakeServer::start([progress(2, false, &json!([]))]);
    let client = ClientArgs {
        endpoint: server.url().parse().unwrap(),
        output: Some(Format::Table),
        timeout: Duration::from_secs(5),
    };
    let (mut results, mut messages) = (Vec::new(), Vec::new());
    let streams = Streams {
        results: &mut results,
        messages: &mut messages,
        is_terminal: false,
    };
    let mut session = Session::new(client, streams).unwrap();
    let interrupted = async { Ok(()) };
    let interval = Duration::from_secs(3_600);
    let error = wait_unless(&mut session, "n1", interval, interrupted).await;
    let error = error.unwrap_err();
    assert_eq!(error.code(), 1);
    let text = error.to_string();
    assert!(text.contains("the drain of n1 goes on"), "{text}");
    assert!(text.contains("coordinator node cancel-drain n1"), "{text}");
    assert!(results.is_empty());
}
