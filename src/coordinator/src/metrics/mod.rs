//! What Prometheus is told: a registry of our own, the metrics in it, and the layers and decorators that feed
//! them.
//!
//! Labels come from sets that are fixed when the program is built (routes, RPCs, commands) or are the coordinator's own
//! members, never from what a client sent, so the number of series is bounded. Rendered by the health port.

mod cluster_gauges;
mod commands;
mod database;
mod engine_gauges;
mod grpc_requests;
mod labels;
mod leader_changes;
mod registry;
mod repair_gauges;
mod rest_requests;
mod watcher_counts;

pub use commands::MeteredEngine;
pub use database::DatabaseMetrics;
pub use grpc_requests::{CountGrpcRequests, CountedBody, GrpcRequestsLayer, StreamedBeats};
pub use registry::{Metrics, MetricsError};
pub use rest_requests::count_rest_request;
