//! The transport in production: gRPC between replicas, on a port of their own.

mod client;
mod server;

pub use client::Grpc;
pub use server::serve_peers;

/// The largest message between replicas: a batch of entries, or the largest command a client can send.
const MAX_MESSAGE: usize = 64 << 20;

/// Bytes that may be on their way in one stream, and in one connection, before they are taken.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 8 << 20;
