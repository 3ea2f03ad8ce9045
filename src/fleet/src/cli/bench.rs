//! The options of `fleet bench`.

use std::time::Duration;

use bytesize::ByteSize;
use clap::{Args, Subcommand};

use crate::cli::coordinator::CoordinatorArgs;
use crate::cli::output::Output;
use crate::cli::shape::ShapeArgs;
use crate::cli::values;
use crate::layout::Layout;

/// The benches.
#[derive(Clone, Debug, Subcommand)]
pub enum BenchCommand {
    /// Register new files
    RegisterFile(RegisterFileArgs),
    /// Ask where chunks are
    FindChunk(FindChunkArgs),
    /// Send heartbeats
    Heartbeat(HeartbeatArgs),
    /// Send heartbeats of many nodes over streams; an operation is a window of them
    HeartbeatStream(HeartbeatStreamArgs),
    /// Register files until there are so many chunks
    Fill(FillArgs),
}

/// What all benches share.
#[derive(Clone, Debug, Args)]
pub struct LoadArgs {
    /// How the coordinator is reached.
    #[command(flatten)]
    pub coordinator: CoordinatorArgs,
    /// Clients that each send one request after the other
    #[arg(long, value_name = "N", default_value = "64", value_parser = values::count)]
    pub clients: usize,
    /// What node ids begin with
    #[arg(long, value_name = "TEXT", default_value = "bench", value_parser = values::prefix)]
    pub name_prefix: String,
    /// How many zones the nodes are dealt out to
    #[arg(long, value_name = "N", default_value = "3", value_parser = values::count)]
    pub zones: usize,
    /// How much a node says it can store
    #[arg(long, value_name = "SIZE", default_value = "1PiB", value_parser = values::size)]
    pub capacity: ByteSize,
    /// Send an idempotency key with each write
    #[arg(long)]
    pub idempotency_keys: bool,
    /// Makes files repeatable: a second run with the same seed registers the same files, which is another
    /// kind of load
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// How the result is printed
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    pub output: Output,
}

/// For how long a bench runs.
#[derive(Clone, Copy, Debug, Args)]
pub struct WindowArgs {
    /// How long to measure
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = values::duration)]
    pub duration: Duration,
    /// How long to run before measuring
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = values::duration_or_none)]
    pub warm_up: Duration,
}

/// The options of `bench register-file`.
#[derive(Clone, Debug, Args)]
pub struct RegisterFileArgs {
    /// What all benches share.
    #[command(flatten)]
    pub load: LoadArgs,
    /// For how long.
    #[command(flatten)]
    pub window: WindowArgs,
    /// Which files.
    #[command(flatten)]
    pub shape: ShapeArgs,
    /// How many nodes to register first
    #[arg(long, value_name = "N", default_value = "12", value_parser = values::count)]
    pub nodes: usize,
}

/// The options of `bench find-chunk`.
#[derive(Clone, Debug, Args)]
pub struct FindChunkArgs {
    /// What all benches share.
    #[command(flatten)]
    pub load: LoadArgs,
    /// For how long.
    #[command(flatten)]
    pub window: WindowArgs,
    /// Which files.
    #[command(flatten)]
    pub shape: ShapeArgs,
    /// How many nodes to register first
    #[arg(long, value_name = "N", default_value = "12", value_parser = values::count)]
    pub nodes: usize,
    /// How many files to register first, for their chunks to be asked for
    #[arg(long, value_name = "N", default_value = "1000", value_parser = values::count)]
    pub prepare: usize,
}

/// The options of `bench heartbeat`.
#[derive(Clone, Debug, Args)]
pub struct HeartbeatArgs {
    /// What all benches share.
    #[command(flatten)]
    pub load: LoadArgs,
    /// For how long.
    #[command(flatten)]
    pub window: WindowArgs,
    /// How many nodes the clients speak for
    #[arg(long, value_name = "N", default_value = "1000", value_parser = values::count)]
    pub nodes: usize,
}

/// The options of `bench heartbeat-stream`.
#[derive(Clone, Debug, Args)]
pub struct HeartbeatStreamArgs {
    /// What all benches share; each client has a stream.
    #[command(flatten)]
    pub load: LoadArgs,
    /// For how long.
    #[command(flatten)]
    pub window: WindowArgs,
    /// How many nodes the clients speak for
    #[arg(long, value_name = "N", default_value = "1000", value_parser = values::count)]
    pub nodes: usize,
    /// How many beats go into a window
    #[arg(long, value_name = "N", default_value = "1000", value_parser = values::window)]
    pub window_beats: usize,
}

/// The options of `bench fill`.
#[derive(Clone, Debug, Args)]
pub struct FillArgs {
    /// What all benches share.
    #[command(flatten)]
    pub load: LoadArgs,
    /// Which files.
    #[command(flatten)]
    pub shape: ShapeArgs,
    /// How many nodes to register first
    #[arg(long, value_name = "N", default_value = "12", value_parser = values::count)]
    pub nodes: usize,
    /// How many chunks to register in all
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub chunks_total: u64,
    /// Also confirm that each chunk's nodes hold it
    #[arg(long)]
    pub confirm: bool,
    /// How long a client tries a write again before it counts as failed
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = values::duration)]
    pub give_up_after: Duration,
}

impl LoadArgs {
    /// Nodes to carry the load.
    #[must_use]
    pub fn layout(&self, nodes: usize, seed: u64) -> Layout {
        Layout {
            nodes,
            name_prefix: self.name_prefix.clone(),
            zones: self.zones,
            racks: 4,
            address_template: None,
            capacity: self.capacity,
            capacity_spread: 0.0,
            seed,
        }
    }
}
