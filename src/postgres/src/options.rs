//! What the engine is told at the start.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How to reach the database, and how to behave there.
#[derive(Clone)]
pub struct Options {
    /// Where it is: `postgres://user:password@host:port/database?sslmode=...`. It is a secret, and never shown.
    pub url: String,
    /// A password that is not in the URL.
    pub password: Option<String>,
    /// What this instance is called; no other has the same name at the same time.
    pub name: String,
    /// Where clients reach this instance's gRPC API; empty if it does not say so.
    pub client_address: String,
    /// Connections for requests, at most; one more serves the instance itself.
    pub max_connections: u32,
    /// A request waits so long for a free connection, at most.
    pub acquire_timeout: Duration,
    /// The database gives up a statement that takes longer.
    pub statement_timeout: Duration,
    /// Who leads is replaced so long after it was last heard.
    pub lease: Duration,
    /// What changed is kept for so long, for who watches.
    pub keep_events: Duration,
    /// Told of what the engine does at the database.
    pub observer: Arc<dyn Observer>,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Told of what the engine does at the database.
pub trait Observer: Send + Sync + 'static {
    /// An operation ended: what it was, and how long it took with all its attempts. A command that the rules refuse is one that
    /// went well.
    fn ended(&self, operation: &'static str, took: Duration, is_ok: bool);

    /// An operation is tried again, and why: `conflict` or `connection`.
    fn retried(&self, operation: &'static str, cause: &'static str);

    /// How many connections there are, and how many of them are idle.
    fn connections(&self, open: u32, idle: u32);
}

/// Nobody is told.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn ended(&self, _operation: &'static str, _took: Duration, _is_ok: bool) {}
    fn retried(&self, _operation: &'static str, _cause: &'static str) {}
    fn connections(&self, _open: u32, _idle: u32) {}
}
