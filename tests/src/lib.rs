//! The harness of the end-to-end tests: coordinators as real processes, and the nouns that tests are told in.
//!
//! Nothing here sleeps: a test waits for a condition, with a reason and a generous limit, and a failure shows the
//! process's own log.

mod binary;
mod cluster;
mod engine;
pub mod history;
mod load;
pub mod nemesis;
mod network;
mod node;
mod place;
mod process;
mod rest;
mod storage;
mod wait;

pub use binary::{Ended, binary, run_to_end, run_unread};
pub use cluster::{ClusterPlan, ClusterStatus, MemberStatus, Rows, TestCluster, TestReplica};
pub use load::{Attempt, Load, longest_gap};
pub use network::FaultyLinks;
pub use node::TestNode;
pub use place::Place;
pub use rest::{Answer, Rest};
pub use storage::StorageNodes;
pub use wait::{until, until_told};
pub use zephyrfs_postgres::testing::Server as PostgresServer;

/// The generated gRPC client of the public API.
pub type GrpcClient = zephyrfs_proto::coordinator::coordinator_service_client::CoordinatorServiceClient<
    tonic::transport::Channel,
>;
