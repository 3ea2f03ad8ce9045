//! The harness of the end-to-end tests: coordinators as real processes, and the nouns that tests are told in.
//!
//! Nothing here sleeps: a test waits for a condition, with a reason and a generous limit, and a failure shows the
//! process's own log.

mod binary;
pub mod history;
mod node;
mod process;
mod rest;
mod wait;

pub use binary::{Ended, binary, run_to_end};
pub use node::TestNode;
pub use rest::{Answer, Rest};
pub use wait::until;

/// The generated gRPC client of the public API.
pub type GrpcClient = zephyrfs_proto::coordinator::coordinator_service_client::CoordinatorServiceClient<
    tonic::transport::Channel,
>;
