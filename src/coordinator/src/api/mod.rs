//! The two public APIs over one [`crate::service::Service`]: each handler converts, calls, and converts back.

pub mod error;
pub mod freshness;
pub mod grpc;
pub mod leader;
pub mod patience;
pub mod rest;
pub mod saturate;
