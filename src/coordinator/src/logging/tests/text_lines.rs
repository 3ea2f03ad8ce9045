use tracing::{error, info, warn};

use super::super::json as json_field;
use super::super::layer::Format;
use super::lines;

const PLAIN: Format = Format::Text { coloured: false };

#[test]
fn a_line_is_readable() {
    let lines = lines(PLAIN, || {
        info!(
            node_id = "node-1",
            addresses = json_field(&["a:1"]),
            capacity = 5,
            "Node registered"
        );
        error!(reason = "no room", empty = "", "failed");
    });
    assert_eq!(
        lines,
        [
            r#"2026-11-22T17:30:00.123Z INFO  Node registered nodeID=node-1 addresses=["a:1"] capacity=5"#,
            r#"2026-11-22T17:30:00.123Z ERROR failed reason="no room" empty="""#,
        ]
    );
}

#[test]
fn foreign_text_cannot_forge_a_line_or_a_field() {
    let lines = lines(PLAIN, || {
        info!(
            name = "a b=c",
            path = "x\ny",
            escape = "\u{1b}[31m",
            odd = "a\\n",
            "got {}",
            "1\n2\u{9b}"
        );
    });
    assert_eq!(
        lines,
        [
            r#"2026-11-22T17:30:00.123Z INFO  got 1\u000a2\u009b name="a b=c" path="x\ny" escape="\u001b[31m" odd="a\\n""#
        ]
    );
}

#[test]
fn only_a_coloured_line_has_colours() {
    let log = || warn!(size = 1, "full");
    assert!(!lines(PLAIN, log)[0].contains('\u{1b}'));
    let coloured = lines(Format::Text { coloured: true }, log).remove(0);
    assert!(coloured.contains("\u{1b}[33mWARN \u{1b}[0m full"), "{coloured:?}");
    assert!(coloured.ends_with("size=\u{1b}[0m1"), "{coloured:?}");
}
