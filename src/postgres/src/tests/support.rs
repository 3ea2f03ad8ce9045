//! One server for all tests of this crate, with a database for each.

use std::sync::{Mutex, OnceLock};

use crate::testing::Server;

/// Where a new, empty database is found.
pub(super) fn database(name: &str) -> String {
    static SERVER: OnceLock<Mutex<Server>> = OnceLock::new();
    // Nothing here outlives the process, so nothing has to be durable.
    let server = SERVER.get_or_init(|| {
        let settings = [
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
            "max_connections=200",
        ];
        Mutex::new(Server::start(&settings))
    });
    server.lock().unwrap().url(name)
}
