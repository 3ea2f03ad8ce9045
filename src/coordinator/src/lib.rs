//! The ZephyrFS coordinator server, as a library: the binary is a thin shell around it, and tests run it in process.
//!
//! Inside, the arrows point one way: [`api`] converts and calls [`service`], which knows neither gRPC nor HTTP and
//! speaks to the rules and the engine of `zephyrfs_core`. [`health`] and [`metrics`] look at the engine and at each other
//! only; [`http_server`] carries whatever speaks HTTP.

pub mod api;
pub mod health;
pub mod http_server;
pub mod jobs;
pub mod metrics;
pub mod service;
