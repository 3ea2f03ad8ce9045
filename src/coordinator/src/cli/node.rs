//! `coordinator node`: lists and shows storage nodes, and takes them in and out of service.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use serde::Deserialize;
use serde_json::json;

use super::arguments::{ClientArgs, ListArgs, WriteArgs};
use super::display::{self, NOTHING, Time};
use super::drain::{self, DrainArgs};
use super::exit::CliError;
use super::list;
use super::session::Session;
use super::table::{self, Align};
use super::values;

/// List and show storage nodes, take them in and out of service
#[derive(Debug, Args)]
pub(crate) struct NodeCommand {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    #[command(subcommand)]
    pub(crate) action: NodeAction,
}

/// What to do with storage nodes.
#[derive(Debug, Subcommand)]
pub(crate) enum NodeAction {
    /// List nodes by id
    List {
        /// Only nodes in this state
        #[arg(long)]
        status: Option<Status>,
        #[command(flatten)]
        list: ListArgs,
    },
    /// Show a node
    Show {
        /// The node's id
        #[arg(value_parser = values::id)]
        id: String,
    },
    /// Place nothing more on a node and move its chunks elsewhere
    Drain {
        /// The node's id
        #[arg(value_parser = values::id)]
        id: String,
        #[command(flatten)]
        drain: DrainArgs,
        #[command(flatten)]
        write: WriteArgs,
    },
    /// Drain a node and then unregister it
    Decommission {
        /// The node's id
        #[arg(value_parser = values::id)]
        id: String,
        #[command(flatten)]
        drain: DrainArgs,
        #[command(flatten)]
        write: WriteArgs,
    },
    /// Stop a drain: what has not moved stays
    CancelDrain {
        /// The node's id
        #[arg(value_parser = values::id)]
        id: String,
        #[command(flatten)]
        write: WriteArgs,
    },
    /// Show how far a drain is, and what keeps the chunks that are left
    DrainStatus {
        /// The node's id
        #[arg(value_parser = values::id)]
        id: String,
        /// So many of the chunks that are left are named
        #[arg(long, value_name = "N", default_value_t = 0)]
        chunks: u32,
    },
    /// Take a drain or a maintenance back: the node is in service again
    Activate {
        /// The node's id
        #[arg(value_parser = values::id)]
        id: String,
        #[command(flatten)]
        write: WriteArgs,
    },
    /// Announce that a node will be away: its silence starts no repair for that long
    Maintenance {
        /// The node's id
        #[arg(value_parser = values::id)]
        id: String,
        /// For how long
        #[arg(long = "for", value_name = "DURATION", value_parser = values::absence)]
        absence: Duration,
        #[command(flatten)]
        write: WriteArgs,
    },
}

/// The states that a node can be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Status {
    /// It sends heartbeats and takes chunks
    Active,
    /// It is silent, or unregistered
    Inactive,
    /// It is announced to be away
    Maintenance,
    /// Its chunks are moving elsewhere
    Draining,
}

#[derive(Deserialize)]
struct Node {
    node_id: String,
    #[serde(default)]
    addresses: Vec<String>,
    #[serde(default)]
    storage_capacity: i64,
    #[serde(default)]
    capabilities: BTreeMap<String, String>,
    #[serde(default)]
    status: String,
    registered_at: Option<Time>,
    last_heartbeat: Option<Time>,
    stats: Option<Stats>,
    drained: Option<bool>,
    held_until: Option<Time>,
    returns: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Stats {
    storage_used: i64,
    storage_available: i64,
    chunks_stored: i64,
    bandwidth_up: i64,
    bandwidth_down: i64,
    cpu_usage: f64,
    memory_usage: f64,
    uptime_seconds: i64,
}

#[derive(Deserialize)]
struct StateChange {
    message: Option<String>,
    status: Option<String>,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Inactive => "inactive",
            Self::Maintenance => "maintenance",
            Self::Draining => "draining",
        }
    }
}

impl NodeAction {
    /// Does it.
    ///
    /// # Errors
    /// Any [`CliError`].
    pub(crate) async fn run(self, session: &mut Session<'_>) -> Result<(), CliError> {
        let nothing = json!({});
        match self {
            Self::List { status, list } => {
                let filter = status.map(|status| ("status", status.as_str().to_owned()));
                list::print(session, &["nodes"], filter, list, render_list).await
            }
            Self::Show { id } => session.show(&["nodes", &id], |node| render_node(&node)).await,
            Self::Drain { id, drain, write } => begin_drain(session, &id, "drain", drain, write).await,
            Self::Decommission { id, drain, write } => {
                begin_drain(session, &id, "decommission", drain, write).await
            }
            Self::CancelDrain { id, write } => change(session, &id, "cancel-drain", &nothing, write).await,
            Self::DrainStatus { id, chunks } => drain::show(session, &id, chunks).await,
            Self::Activate { id, write } => change(session, &id, "activate", &nothing, write).await,
            Self::Maintenance { id, absence, write } => {
                let body = json!({ "for": format!("{}s", absence.as_secs()) });
                change(session, &id, "maintenance", &body, write).await
            }
        }
    }
}

/// Begins a drain, and waits for its end if that is asked for.
async fn begin_drain(
    session: &mut Session<'_>,
    id: &str,
    verb: &str,
    args: DrainArgs,
    write: WriteArgs,
) -> Result<(), CliError> {
    let DrainArgs {
        force,
        wait,
        interval,
    } = args;
    let body = if force {
        json!({ "force": true })
    } else {
        json!({})
    };
    change(session, id, verb, &body, write).await?;
    if wait {
        drain::wait(session, id, interval).await?;
    }
    Ok(())
}

async fn change(
    session: &mut Session<'_>,
    id: &str,
    verb: &str,
    body: &serde_json::Value,
    write: WriteArgs,
) -> Result<(), CliError> {
    let render = |change: StateChange| {
        display::outcome(change.message, || {
            let status = change.status.as_deref().unwrap_or("changed");
            format!("{id} is {status}")
        })
    };
    session
        .post(&["nodes", id, verb], body, write.repetition(), render)
        .await
}

fn render_list(nodes: Vec<Node>) -> String {
    let header = [
        ("NODE", Align::Left),
        ("STATUS", Align::Left),
        ("ZONE", Align::Left),
        ("ADDRESS", Align::Left),
        ("CHUNKS", Align::Right),
        ("USED", Align::Right),
        ("CAPACITY", Align::Right),
        ("LAST HEARTBEAT", Align::Left),
    ];
    let row = |node: Node| {
        let number = |number: fn(&Stats) -> String| node.stats.as_ref().map_or(NOTHING.to_owned(), number);
        let zone = node.capabilities.get("zone").map_or("", String::as_str);
        let address = match node.addresses.as_slice() {
            [] => NOTHING.to_owned(),
            [only] => display::text(only),
            [first, others @ ..] => format!("{} (+{})", display::text(first), others.len()),
        };
        vec![
            display::text(&node.node_id),
            display::text(&node.status),
            display::text(zone),
            address,
            number(|stats| stats.chunks_stored.to_string()),
            number(|stats| display::size(stats.storage_used)),
            display::size(node.storage_capacity),
            display::time(node.last_heartbeat.as_ref()),
        ]
    };
    table::rows(&header, nodes.into_iter().map(row))
}

fn render_node(node: &Node) -> String {
    let capabilities: Vec<_> = node
        .capabilities
        .iter()
        .map(|(name, value)| format!("{}={}", display::escaped(name), display::escaped(value)))
        .collect();
    let mut facts = vec![
        ("Node", display::text(&node.node_id)),
        ("Status", display::text(&node.status)),
        ("Addresses", display::text(&node.addresses.join(", "))),
        ("Capabilities", display::text(&capabilities.join(", "))),
        ("Capacity", display::size(node.storage_capacity)),
        ("Registered", display::time(node.registered_at.as_ref())),
        ("Last heartbeat", display::time(node.last_heartbeat.as_ref())),
    ];
    if let Some(drained) = node.drained {
        let word = if drained {
            "yes; it can be switched off"
        } else {
            "no"
        };
        facts.push(("Drained", word.to_owned()));
    }
    if let Some(returns) = node.returns {
        let until = display::time(node.held_until.as_ref());
        facts.push((
            "Comes and goes",
            format!("{returns} returns in a row, held down until {until}"),
        ));
    }
    if let Some(stats) = &node.stats {
        facts.extend([
            ("Used", display::size(stats.storage_used)),
            ("Available", display::size(stats.storage_available)),
            ("Chunks", stats.chunks_stored.to_string()),
            ("Sends", format!("{}/s", display::size(stats.bandwidth_up))),
            ("Receives", format!("{}/s", display::size(stats.bandwidth_down))),
            ("CPU", format!("{:.1} %", stats.cpu_usage)),
            ("Memory", format!("{:.1} %", stats.memory_usage)),
            ("Uptime", display::span(stats.uptime_seconds)),
        ]);
    }
    table::facts(facts)
}
