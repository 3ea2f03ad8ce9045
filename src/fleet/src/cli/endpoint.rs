//! The options that say where the coordinator is, the same for every command.

use std::time::Duration;

use clap::Args;

use crate::cli::values;
use crate::client::endpoint::EndpointUri;

/// Where the coordinator is.
#[derive(Clone, Debug, Args)]
pub struct EndpointArgs {
    /// A coordinator's gRPC endpoint; repeat it, or give a comma list, for several
    #[arg(
        long = "endpoint",
        env = "COORDINATOR_GRPC",
        value_name = "URL",
        value_delimiter = ',',
        default_value = "http://127.0.0.1:8080"
    )]
    pub endpoints: Vec<EndpointUri>,
    /// How long a call may take before it is tried again
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = values::duration)]
    pub timeout: Duration,
}
