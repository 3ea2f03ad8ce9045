//! Existing deployments write long flags with one dash (`-config FILE`, `-log-level=debug`). The command line
//! parser would take that for a row of short flags, so such arguments get their second dash before it sees
//! them.

use std::ffi::OsString;

use super::args::flag_names;

/// `arguments` with a second dash before each configuration flag that has one only. Nothing after a `--`
/// changes.
pub(crate) fn double_dashes(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut flags_ended = false;
    let rewrite = |argument: OsString| {
        flags_ended |= argument == "--";
        if flags_ended || !is_single_dashed(&argument) {
            return argument;
        }
        let mut doubled = OsString::from("-");
        doubled.push(argument);
        doubled
    };
    arguments.into_iter().map(rewrite).collect()
}

fn is_single_dashed(argument: &OsString) -> bool {
    let Some(rest) = argument.as_encoded_bytes().strip_prefix(b"-") else {
        return false;
    };
    let name = rest.split(|byte| *byte == b'=').next().unwrap_or(rest);
    flag_names().any(|flag| flag.as_bytes() == name)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::double_dashes;

    fn rewritten(line: &str) -> String {
        let arguments = double_dashes(line.split(' ').map(OsString::from));
        arguments
            .iter()
            .map(|argument| argument.to_str().unwrap())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn configuration_flags_get_their_second_dash() {
        assert_eq!(
            rewritten("coordinator -config /c.yaml -log-level=debug -grpc-port 1 -set a.b=c"),
            "coordinator --config /c.yaml --log-level=debug --grpc-port 1 --set a.b=c"
        );
    }

    #[test]
    fn everything_else_stays() {
        for line in [
            "coordinator --config /c.yaml --log-level debug",
            "coordinator cluster status -o json -h -V",
            "coordinator -configure x -conf x - -= config",
            "coordinator -- -config x",
        ] {
            assert_eq!(rewritten(line), line);
        }
    }
}
