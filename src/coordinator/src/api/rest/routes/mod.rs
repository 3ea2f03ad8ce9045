//! The routes by noun. Each handler converts, calls the service, and converts back; what it may answer is
//! written above it and becomes its description. Failures that every route shares are added by `openapi`.

pub(super) mod admin;
pub(super) mod chunks;
pub(super) mod cluster;
pub(super) mod files;
mod lists;
pub(super) mod network;
pub(super) mod node_states;
pub(super) mod nodes;
pub(super) mod repair;
pub(super) mod tasks;
pub(super) mod watch;
pub(super) mod welcome;
pub(super) mod why;
