//! How much a server puts up with.

use std::time::Duration;

/// How much a server puts up with. The defaults are those of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerOptions {
    /// What the log calls the listener.
    pub name: &'static str,
    /// Connections at a time; further ones wait in the kernel's queue.
    pub max_connections: usize,
    /// How long a client may take from the first byte of a request to the end of its head, and a new
    /// connection until the end of its first one.
    pub header_timeout: Duration,
    /// How long a connection may stay open between two requests. Longer than the interval at which storage
    /// nodes send heartbeats, so that they are not cut off in the moment of sending one.
    pub idle_timeout: Duration,
    /// How long a client may take none of a response before it is given up.
    pub write_timeout: Duration,
    /// How long requests may take to finish when the server stops.
    pub drain_timeout: Duration,
}

impl ServerOptions {
    /// The defaults, for a listener of that name.
    pub const fn named(name: &'static str) -> Self {
        Self {
            name,
            max_connections: 4_096,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(10),
        }
    }
}
