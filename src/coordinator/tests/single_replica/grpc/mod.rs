//! The gRPC API as clients see it, over TCP: outcomes, statuses, metadata, connections.

mod chunks;
mod files;
mod heartbeat_streams;
mod inventory;
mod messages;
mod metadata;
mod network;
mod nodes;
mod operations;
mod slow_streams;
mod transport;
mod watch;
