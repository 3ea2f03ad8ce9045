//! The options that say how to reach the coordinator, the same for every command.

use std::time::Duration;

use clap::Args;

use crate::cli::values;
use crate::client::endpoint::EndpointUri;

/// How the coordinator is reached.
#[derive(Clone, Debug, Args)]
pub struct CoordinatorArgs {
    /// A coordinator's gRPC endpoint; repeat it, or give a comma list, for several
    #[arg(
        long = "endpoint",
        env = "COORDINATOR_GRPC",
        value_name = "URL",
        value_delimiter = ',',
        default_value = "http://127.0.0.1:8080"
    )]
    pub endpoints: Vec<EndpointUri>,
    /// Connections, shared by all nodes and clients; at least one to each endpoint
    #[arg(long, value_name = "N", default_value = "8", value_parser = values::count)]
    pub connections: usize,
    /// Streams that the nodes' heartbeats go over, many nodes to each; 0: every heartbeat is a call of its own
    #[arg(long, value_name = "N", default_value = "0", value_parser = values::streams)]
    pub streams: usize,
    /// How long a call may take before it is tried again
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = values::duration)]
    pub timeout: Duration,
}
