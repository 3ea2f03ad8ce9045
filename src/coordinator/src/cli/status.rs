//! `coordinator status`: the coordinator's replicas and the storage network on one screen.

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::arguments::ClientArgs;
use super::client::Request;
use super::cluster;
use super::display;
use super::exit::CliError;
use super::session::Session;
use super::table;

/// Show the coordinator's replicas and the storage network on one screen
#[derive(Debug, Args)]
pub(crate) struct StatusCommand {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// Both answers, as they came.
#[derive(Debug, Serialize)]
struct Status {
    cluster: Value,
    network: Option<Value>,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Network {
    total_nodes: i64,
    active_nodes: i64,
    total_storage_capacity: i64,
    total_storage_used: i64,
    total_files: i64,
    total_chunks: i64,
    average_node_uptime: f64,
    network_uptime_seconds: i64,
}

/// Prints the screen. A replica tells of the cluster even when the cluster cannot answer for the network: then half
/// a screen is printed, and the error returned.
///
/// # Errors
/// Any [`CliError`] of a read.
pub(crate) async fn run(session: &mut Session<'_>) -> Result<(), CliError> {
    let cluster = session.send(&Request::get(["cluster"])).await?;
    let network = session.send(&Request::get(["network", "stats"])).await;
    let cluster_status = cluster.read()?;
    let network_stats = network
        .as_ref()
        .ok()
        .map(|answer| answer.read::<Network>())
        .transpose()?;
    let status = Status {
        cluster: cluster.body,
        network: network.as_ref().ok().map(|answer| answer.body.clone()),
    };
    session.output.result(&status, |_| {
        let mut text = cluster::render(&cluster_status);
        if let Some(stats) = &network_stats {
            text.push('\n');
            text.push_str(&render(stats));
        }
        text
    })?;
    network.map(|_| ())
}

fn render(network: &Network) -> String {
    // Seconds, shown without their fractions.
    let average_uptime = network.average_node_uptime as i64;
    table::facts([
        (
            "Nodes",
            format!("{} active of {}", network.active_nodes, network.total_nodes),
        ),
        (
            "Storage",
            display::share(network.total_storage_used, network.total_storage_capacity),
        ),
        ("Files", network.total_files.to_string()),
        ("Chunks", network.total_chunks.to_string()),
        ("Network up", display::span(network.network_uptime_seconds)),
        (
            "Nodes up",
            format!("{} on average", display::span(average_uptime)),
        ),
    ])
}
