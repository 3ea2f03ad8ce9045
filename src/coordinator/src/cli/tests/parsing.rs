//! Which words start the server, and which are refused.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::cli::{self, Cli, exit};
use crate::config::ConfigArgs;

/// The flags that the server is started with; `None` if it is not.
fn served(line: &str) -> Option<ConfigArgs> {
    let mut served = None;
    cli::run(line.split(' ').map(OsString::from), |args| {
        served = Some(args);
        ExitCode::SUCCESS
    });
    served
}

fn usage_code(line: &str) -> Option<u8> {
    Cli::try_parse_from(line.split(' '))
        .err()
        .map(|error| exit::usage_code(&error))
}

#[test]
fn the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn old_and_new_ways_to_start_the_server_mean_the_same() {
    for line in [
        "coordinator -config /c.yaml -log-level info",
        "coordinator --config=/c.yaml --log-level=info",
        "coordinator serve -config /c.yaml -log-level info",
    ] {
        let args = served(line).unwrap();
        assert_eq!(args.file, Some(PathBuf::from("/c.yaml")), "{line}");
        let flags: Vec<_> = args
            .flags
            .iter()
            .map(|(setting, _, text)| (setting.key, text.as_str()))
            .collect();
        assert_eq!(flags, [("log.level", "info")], "{line}");
    }
    assert!(served("coordinator").is_some());
}

#[test]
fn wrong_words_exit_with_1() {
    for line in [
        "coordinator --no-such-flag",
        "coordinator no-such-command",
        "coordinator file",
        "coordinator file add",
        "coordinator file show ..",
        "coordinator file add x --chunk-size 0",
        "coordinator file list --limit 0",
        "coordinator node list --status happy",
        "coordinator node maintenance n",
        "coordinator node maintenance n --for 10",
        "coordinator cluster resize 0",
        "coordinator cluster resize 100",
        "coordinator cluster status --watch --interval 0s",
        "coordinator cluster status --interval 2s",
        "coordinator status --endpoint https://h",
        "coordinator status --timeout 0s",
        "coordinator status -o yaml",
        "coordinator --log-level debug status",
    ] {
        assert_eq!(usage_code(line), Some(1), "{line}");
    }
}

#[test]
fn help_and_version_exit_with_0() {
    for line in [
        "coordinator --help",
        "coordinator -V",
        "coordinator file add -h",
        "coordinator help node",
    ] {
        assert_eq!(usage_code(line), Some(0), "{line}");
    }
}

#[test]
fn options_may_stand_anywhere_after_the_first_word() {
    for line in [
        "coordinator cluster -o json --endpoint a:1,b:2 status",
        "coordinator cluster status -o json --endpoint a:1,b:2",
        "coordinator cluster status --watch",
        "coordinator cluster status --watch --interval 500ms -o json",
    ] {
        assert_eq!(usage_code(line), None, "{line}");
    }
}
