//! The options of `fleet run`.

use std::time::Duration;

use bytesize::ByteSize;
use clap::{ArgGroup, Args};

use crate::address::AddressTemplate;
use crate::cli::coordinator::CoordinatorArgs;
use crate::cli::output::Output;
use crate::cli::shape::ShapeArgs;
use crate::cli::values;
use crate::layout::Layout;
use crate::node::CopyRate;

/// What to simulate, for how long, and what to check.
#[derive(Clone, Debug, Args)]
#[command(group(ArgGroup::new("failing").multiple(true)))]
pub struct RunArgs {
    /// How the coordinator is reached.
    #[command(flatten)]
    pub coordinator: CoordinatorArgs,

    /// How many storage nodes
    #[arg(long, value_name = "N", default_value = "12", value_parser = values::count, help_heading = "Nodes")]
    pub nodes: usize,
    /// What node ids begin with: `fleet` gives fleet-0001
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "fleet",
        value_parser = values::prefix,
        help_heading = "Nodes"
    )]
    pub name_prefix: String,
    /// How many zones the nodes are dealt out to
    #[arg(long, value_name = "N", default_value = "3", value_parser = values::count, help_heading = "Nodes")]
    pub zones: usize,
    /// How many racks each zone has
    #[arg(long, value_name = "N", default_value = "4", value_parser = values::count, help_heading = "Nodes")]
    pub racks: usize,
    /// How addresses look, with {id}, {number}, {zone}, {rack} and {host} [default: 10.ZONE.RACK.HOST:7000]
    #[arg(long, value_name = "TEXT", help_heading = "Nodes")]
    pub address_template: Option<AddressTemplate>,
    /// How much a node can store
    #[arg(
        long,
        value_name = "SIZE",
        default_value = "100GiB",
        value_parser = values::size,
        help_heading = "Nodes"
    )]
    pub capacity: ByteSize,
    /// By which share capacities differ: 0.5 gives half to one and a half times the capacity
    #[arg(
        long,
        value_name = "SHARE",
        default_value = "0",
        value_parser = values::share,
        help_heading = "Nodes"
    )]
    pub capacity_spread: f64,
    /// How often each node sends a heartbeat
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "10s",
        value_parser = values::duration,
        help_heading = "Nodes"
    )]
    pub heartbeat: Duration,
    /// How fast a node copies a chunk, in bytes per second, or `instant`
    #[arg(
        long,
        value_name = "RATE",
        default_value = "100MiB",
        value_parser = values::copy_rate,
        help_heading = "Nodes"
    )]
    pub copy_rate: CopyRate,

    /// New files per second, over all clients; 0 registers none
    #[arg(
        long,
        value_name = "RATE",
        default_value = "0.5",
        value_parser = values::rate,
        help_heading = "Files"
    )]
    pub files_per_second: f64,
    /// What each file looks like.
    #[command(flatten)]
    pub shape: ShapeArgs,
    /// Register so many chunks first, as fast as the clients can; all other times count from then
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u64).range(1..),
        help_heading = "Files"
    )]
    pub chunks: Option<u64>,
    /// End after so many files, beside those of --chunks
    #[arg(long, value_name = "N", help_heading = "Files")]
    pub total_files: Option<u64>,
    /// How many files are registered at the same time at most
    #[arg(long, value_name = "N", default_value = "4", value_parser = values::count, help_heading = "Files")]
    pub clients: usize,
    /// How long a client tries a write again before it counts as failed
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "1m",
        value_parser = values::duration,
        help_heading = "Files"
    )]
    pub give_up_after: Duration,

    /// How many nodes fail
    #[arg(long, value_name = "N", value_parser = values::count, group = "failing", help_heading = "Failures")]
    pub fail: Option<usize>,
    /// A zone whose nodes all fail
    #[arg(long, value_name = "ZONE", group = "failing", help_heading = "Failures")]
    pub fail_zone: Option<String>,
    /// When they fail, after the start
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "30s",
        value_parser = values::duration,
        help_heading = "Failures"
    )]
    pub fail_after: Duration,
    /// How long they are gone; without it, for good
    #[arg(
        long,
        value_name = "DURATION",
        value_parser = values::duration,
        requires = "failing",
        help_heading = "Failures"
    )]
    pub fail_for: Option<Duration>,

    /// End once there are as many copies again of everything that failed nodes held; otherwise the run is a failure
    #[arg(long, requires = "failing", help_heading = "Failures")]
    pub until_whole: bool,

    /// End after so long; without it, on Ctrl-C or SIGTERM
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    pub duration: Option<Duration>,
    /// At the end, ask where a sample of the stored chunks are, and check the answers
    #[arg(long)]
    pub verify: bool,
    /// How many chunks to ask for
    #[arg(long, value_name = "N", default_value = "200", value_parser = values::count, requires = "verify")]
    pub verify_sample: usize,
    /// How long answers may stay wrong while the coordinator settles
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "30s",
        value_parser = values::duration,
        requires = "verify"
    )]
    pub verify_within: Duration,
    /// Makes capacities, failing nodes and files repeatable: a second run with the same seed registers the
    /// same files
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// How the summary is printed
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: Output,
}

impl RunArgs {
    /// The nodes that were asked for.
    #[must_use]
    pub fn layout(&self, seed: u64) -> Layout {
        Layout {
            nodes: self.nodes,
            name_prefix: self.name_prefix.clone(),
            zones: self.zones,
            racks: self.racks,
            address_template: self.address_template.clone(),
            capacity: self.capacity,
            capacity_spread: self.capacity_spread,
            seed,
        }
    }
}
