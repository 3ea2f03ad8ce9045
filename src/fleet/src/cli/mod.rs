//! The command line: what can be asked of the fleet. Values are checked while they are parsed; nothing is
//! done here.

use clap::{Parser, Subcommand};

use crate::cli::bench::BenchCommand;
use crate::cli::run::RunArgs;

pub mod bench;
pub mod coordinator;
pub mod output;
pub mod run;
pub mod shape;
pub mod values;

/// Simulated storage nodes that speak the public gRPC API of a ZephyrFS coordinator.
///
/// Without a command, `run` is meant. Exit codes: 0 all was well; 1 an operation failed for good, or the
/// verification did; 2 the command line is wrong.
#[derive(Debug, Parser)]
#[command(name = "fleet", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The options of `run`, when no command is given.
    #[command(flatten)]
    pub run: RunArgs,
}

/// The commands.
#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one, made once")]
pub enum Command {
    /// Run nodes that register, beat, store and copy, and clients that register files
    Run(RunArgs),
    /// Load the coordinator and measure it
    #[command(subcommand)]
    Bench(BenchCommand),
}

#[cfg(test)]
mod tests {
    use bytesize::ByteSize;
    use clap::{CommandFactory as _, Parser as _};

    use super::{Cli, Command};
    use crate::cli::bench::BenchCommand;
    use crate::node::CopyRate;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn run_is_the_default_command() {
        let bare = Cli::try_parse_from(["fleet", "--nodes", "7"]).unwrap();
        assert!(bare.command.is_none());
        assert_eq!(bare.run.nodes, 7);
        let named = Cli::try_parse_from(["fleet", "run", "--nodes", "7"]).unwrap();
        assert!(matches!(named.command, Some(Command::Run(args)) if args.nodes == 7));
    }

    #[test]
    fn single_nodes_and_a_zone_can_fail_in_one_run() {
        let arguments = [
            "fleet",
            "--fail",
            "2",
            "--fail-zone",
            "zone-1",
            "--fail-for",
            "2m",
        ];
        let run = Cli::try_parse_from(arguments).unwrap().run;
        assert_eq!((run.fail, run.fail_zone.as_deref()), (Some(2), Some("zone-1")));
    }

    #[test]
    fn several_endpoints_are_given_as_a_list_or_one_by_one() {
        let cli = Cli::try_parse_from([
            "fleet",
            "--endpoint",
            "http://a:1,http://b:2",
            "--endpoint",
            "c:3",
        ]);
        let endpoints: Vec<_> = cli
            .unwrap()
            .run
            .coordinator
            .endpoints
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(endpoints, ["http://a:1", "http://b:2", "http://c:3"]);
    }

    #[test]
    fn sizes_and_rates_are_read_with_their_units() {
        let arguments = [
            "fleet",
            "--capacity",
            "100GB",
            "--chunk-size",
            "4096",
            "--copy-rate",
            "1.5MiB",
        ];
        let run = Cli::try_parse_from(arguments).unwrap().run;
        assert_eq!(run.capacity, ByteSize::gb(100));
        assert_eq!(run.shape.chunk_size, ByteSize::b(4096));
        assert_eq!(run.copy_rate, CopyRate::PerSecond(ByteSize::kib(1536)));
        let instant = Cli::try_parse_from(["fleet", "--copy-rate", "instant"])
            .unwrap()
            .run;
        assert_eq!(instant.copy_rate, CopyRate::Instant);
    }

    #[test]
    fn values_that_make_no_sense_are_refused() {
        for arguments in [
            ["--nodes", "0"],
            ["--copy-rate", "0"],
            ["--capacity", "-1"],
            ["--capacity", "9EiB"],
            ["--capacity-spread", "1"],
            ["--files-per-second", "-1"],
            ["--files-per-second", "NaN"],
            ["--heartbeat", "0s"],
            ["--heartbeat", "10"],
            ["--fail-after", "2years"],
            ["--fail-for", "2m"],
            ["--chunks-per-file", "0"],
            ["--name-prefix", ""],
            ["--endpoint", "https://a:1"],
        ] {
            let parsed = Cli::try_parse_from(["fleet", arguments[0], arguments[1]]);
            assert_eq!(
                parsed.map(|_| ()).map_err(|error| error.exit_code()),
                Err(2),
                "{arguments:?}"
            );
        }
    }

    #[test]
    fn benches_have_defaults_of_their_own() {
        let cli = Cli::try_parse_from(["fleet", "bench", "heartbeat"]).unwrap();
        let Some(Command::Bench(BenchCommand::Heartbeat(args))) = cli.command else {
            panic!("{cli:?}")
        };
        assert_eq!(
            (args.nodes, args.load.clients, args.load.coordinator.connections),
            (1000, 64, 8)
        );
        let cli = Cli::try_parse_from(["fleet", "bench", "fill", "--chunks-total", "1000000"]).unwrap();
        let Some(Command::Bench(BenchCommand::Fill(args))) = cli.command else {
            panic!("{cli:?}")
        };
        assert_eq!(
            (args.chunks_total, args.nodes, args.confirm),
            (1_000_000, 12, false)
        );
    }
}
