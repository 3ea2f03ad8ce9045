"""Plants one violation of each rule in a small workspace, to see that none goes unseen."""

import sys
import tempfile
from pathlib import Path

# What the self-test plants: file, text that is put at its end, words that the violation is reported with.
PLANTED = [
    ("src/core/Cargo.toml", '[dependencies]\ntokio = "1"\n', "zephyrfs-core must stay free of tokio"),
    (
        "src/core/Cargo.toml",
        '[dev-dependencies]\nzephyrfs-raft = { path = "../../raft" }\n',
        "zephyrfs-core must not depend on zephyrfs-raft",
    ),
    ("src/core/src/lib.rs", "mod a;\nmod b;\npub use a::Thing;\n", "zephyrfs-core: modules in a cycle: a names b"),
    ("src/coordinator/src/service/mod.rs", "use crate::api;\n", "service must not name api"),
    ("src/coordinator/src/service/mod.rs", "use super::{api::rest, cli};\n", "service must not name cli"),
    ("src/coordinator/src/service/deep.rs", "fn f() -> crate::api::X {}\n", "service must not name api"),
    ("src/coordinator/src/service/deep.rs", "use super::super::api;\n", "service must not name api"),
    ("src/coordinator/src/service/deep.rs", "mod inline { use super::super::super::api; }\n", "service must not name api"),
    ("src/coordinator/src/service/mod.rs", "use axum::Router;\n", "service must not name axum"),
    ("src/coordinator/src/service/mod.rs", "fn f() -> tonic::Status {}\n", "service must not name tonic"),
    ("src/coordinator/src/api/mod.rs", "use zephyrfs_raft::Raft;\n", "zephyrfs_raft may be named in app and cli only"),
    ("src/coordinator/src/config.rs", "use crate::logging;\n", "config must not name logging"),
    ("src/unknown/Cargo.toml", '[package]\nname = "unknown"\nversion = "0.0.0"\n', "crate unknown is not in the table"),
]
CLEAN = {
    "Cargo.toml": '[workspace]\nresolver = "3"\nmembers = ["raft", "src/*"]\n',
    "raft/Cargo.toml": '[package]\nname = "zephyrfs-raft"\nversion = "0.0.0"\n'
    '[dependencies]\nzephyrfs-core = { path = "../src/core" }\n',
    "raft/src/lib.rs": "",
    "src/core/Cargo.toml": '[package]\nname = "zephyrfs-core"\nversion = "0.0.0"\n',
    "src/core/src/lib.rs": "",
    "src/core/src/a.rs": "use crate::b::Other;\npub struct Thing;\n",
    "src/core/src/b.rs": "use crate::Thing;\npub struct Other;\n",
    "src/coordinator/Cargo.toml": '[package]\nname = "zephyrfs-coordinator"\nversion = "0.0.0"\n'
    '[dependencies]\nzephyrfs-raft = { path = "../../raft" }\n',
    "src/coordinator/src/main.rs": "mod api;\nmod app;\nmod cli;\nmod config;\nmod logging;\nmod service;\n",
    "src/coordinator/src/app.rs": "use zephyrfs_raft::Raft;\nuse crate::{api, config, service};\n",
    "src/coordinator/src/cli.rs": "",
    "src/coordinator/src/config.rs": "",
    "src/coordinator/src/logging.rs": "use crate::config::Log;\n",
    "src/coordinator/src/api/mod.rs": "use crate::service::{self, Service};\nuse axum::Router;\n",
    # What only looks like a violation.
    "src/coordinator/src/service/mod.rs": """
        //! See [`crate::api`].
        mod deep;
        #[cfg(test)]
        mod tests;
        /* use crate::api; /* nested */ use crate::api; */
        const A: &str = "crate::api::X"; const B: &str = r#"use crate::api; ""#; const C: char = '"';
        fn f<'a>(x: &'a str) -> &'a str { x }
        #[cfg(test)]
        mod more_tests { use crate::api; fn g() { "}"; } }
        pub(in crate::service) struct S;
    """,
    "src/coordinator/src/service/tests.rs": "use crate::api;\n",
    "src/coordinator/src/service/deep.rs": "use super::S;\nuse crate::service::S;\n",
}


def check_copy(check, planted=None):
    """The violations that `check` finds in the small copy, with `planted` in it."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        for name, text in CLEAN.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        if planted:
            file = root / planted[0]
            file.parent.mkdir(parents=True, exist_ok=True)
            (file.parent / "src").mkdir(exist_ok=True)
            if file.name == "Cargo.toml":
                (file.parent / "src" / "lib.rs").touch()
            with file.open("a", encoding="utf-8") as opened:
                opened.write(planted[1])
        return check(root)[0]


def self_test(check):
    """Plants each violation, and returns the exit code."""
    failures = [f"the clean copy has a violation: {problem}" for problem in check_copy(check)]
    for planted in PLANTED:
        found = check_copy(check, planted)
        if not any(planted[2] in problem for problem in found):
            failures.append(f"not seen: {planted[1].strip()!r} in {planted[0]}; found {found}")
    for failure in failures:
        print(f"check-arrows: self-test: {failure}", file=sys.stderr)
    print(f"check-arrows: self-test: {len(PLANTED)} planted violations, {len(failures)} failures")
    return 1 if failures else 0
