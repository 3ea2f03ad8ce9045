//! Which engine the coordinators of the tests run on, where a test does not say.
//!
//! With `COORDINATOR_TEST_ENGINE=postgres` in the environment each gets a database of its own: what holds on one engine has to
//! hold on the other.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use zephyrfs_postgres::testing::Server;

/// Environment variables for a coordinator that has the engine to itself.
pub(crate) fn environment() -> Option<(String, String)> {
    static SERVER: OnceLock<Mutex<Server>> = OnceLock::new();
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let engine = std::env::var("COORDINATOR_TEST_ENGINE").ok()?;
    (engine == "postgres").then(|| {
        let server = SERVER.get_or_init(|| Mutex::new(Server::start(&["fsync=off", "max_connections=500"])));
        let name = format!("coordinator_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let url = server.lock().unwrap_or_else(PoisonError::into_inner).url(&name);
        ("DATABASE_URL".to_owned(), url)
    })
}
