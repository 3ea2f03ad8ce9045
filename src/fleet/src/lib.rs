//! Simulated storage nodes that speak the public gRPC API of a coordinator: for demos, load and capacity
//! planning.
//!
//! The crate knows nothing of a coordinator but its wire contract. `main.rs` is the command line around it;
//! tests drive the modules directly. Start reading at `runner` (nodes that live) or `bench` (load that is
//! measured).

pub mod address;
pub mod bench;
pub mod chunk_id;
pub mod cli;
pub mod client;
pub mod content;
pub mod fleet;
pub mod layout;
pub mod losses;
pub mod measure;
pub mod node;
pub mod operation;
pub mod progress;
pub mod report;
pub mod runner;
pub mod seed;
pub mod shutdown;
pub mod tasks;
pub mod verify;

#[cfg(test)]
mod testing;
