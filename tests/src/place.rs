//! Where a coordinator is reached.

use std::net::Ipv4Addr;
use std::time::Duration;

use tonic::transport::Endpoint;

use crate::GrpcClient;
use crate::rest::Rest;

/// Longer than any request may take that the coordinator still works on. A process that is stopped or cut off answers
/// never, and no test is to wait for that.
const PATIENCE: Duration = Duration::from_secs(40);

/// The address of a coordinator and the ports of its APIs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The address.
    pub host: Ipv4Addr,
    /// gRPC.
    pub grpc: u16,
    /// REST.
    pub rest: u16,
    /// Probes and metrics.
    pub health: u16,
}

impl Place {
    /// The REST API.
    pub fn rest(&self) -> Rest {
        self.rest_for(PATIENCE)
    }

    /// The REST API, for a client that waits so long for an answer.
    pub fn rest_for(&self, patience: Duration) -> Rest {
        Rest::new(format!("http://{}:{}", self.host, self.rest), patience)
    }

    /// The health port.
    pub fn health(&self) -> Rest {
        Rest::new(format!("http://{}:{}", self.host, self.health), PATIENCE)
    }

    /// The URL of the gRPC API.
    pub fn grpc_url(&self) -> String {
        format!("http://{}:{}", self.host, self.grpc)
    }

    /// The gRPC API.
    ///
    /// # Panics
    /// If it does not take connections.
    #[allow(clippy::panic, reason = "a server that does not answer is a failed test")]
    pub async fn grpc(&self) -> GrpcClient {
        let connected = async { Endpoint::from_shared(self.grpc_url())?.connect().await }.await;
        GrpcClient::new(connected.unwrap_or_else(|error| panic!("cannot connect to gRPC: {error}")))
    }
}
