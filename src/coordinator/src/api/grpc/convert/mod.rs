//! Messages of `coordinator.proto` to the service's inputs, and its answers to messages.
//!
//! Every message that comes in is taken apart field by field, so that a new field does not compile until it
//! is dealt with.

mod chunks;
mod cluster;
mod drains;
mod files;
mod inventory;
mod network;
mod nodes;
mod repair;
mod tasks;
mod watch;
mod why;
mod windows;

pub(super) use windows::acknowledgement;
