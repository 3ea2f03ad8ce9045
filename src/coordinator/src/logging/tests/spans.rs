use tracing::{error_span, field::Empty, info, info_span};

use super::super::json as json_field;
use super::{json_line, parsed};

#[test]
fn an_event_carries_the_fields_of_its_spans_and_its_own_win() {
    let line = json_line(|| {
        let outer = info_span!(
            "request",
            request_id = "r1",
            node_id = "outer",
            size = 7,
            late = Empty
        );
        let _outer = outer.enter();
        let inner = info_span!("chunk", node_id = "inner", hosts = json_field(&["h"]));
        let _inner = inner.enter();
        outer.record("late", true);
        outer.record("size", 8);
        info!(chunk_id = "c", request_id = "own", "stored");
    });
    assert_eq!(
        line,
        r#"{"level":"info","time":"2026-11-22T17:30:00.123Z","msg":"stored","chunkID":"c","requestID":"own","nodeID":"inner","hosts":["h"],"size":8,"late":true}"#
    );
}

#[test]
fn a_span_that_has_ended_leaves_nothing() {
    let line = parsed(|| {
        error_span!("past", request_id = "r1").in_scope(|| ());
        info!("after");
    });
    assert_eq!(line.get("requestID"), None);
}

#[test]
fn a_message_of_a_span_is_not_that_of_the_event() {
    let line = parsed(|| info_span!("outer", message = "of the span").in_scope(|| info!("of the event")));
    assert_eq!(line["msg"], "of the event");
}
