//! The gRPC API: the service of `coordinator.proto`, with the standard health and reflection services.
//!
//! `handlers` has one short function for each RPC, `convert` the messages, `context` the metadata,
//! `status` the replies and errors, `stream` what goes on and on. `heartbeat_streams` is the one RPC that is more than that.
//! `middleware` is what every request passes before and after,
//! `front` leads it through; `server` puts it together.

mod context;
mod convert;
mod front;
mod handlers;
mod health;
mod heartbeat_streams;
mod inventories;
mod middleware;
mod server;
mod status;
mod stream;

pub use front::Front;
pub use server::{Options, ServeError, serve};
