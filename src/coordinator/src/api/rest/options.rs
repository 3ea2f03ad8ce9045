//! How the REST API is served.

use std::time::Duration;

use crate::http_server::ServerOptions;

/// How the REST API is served. The defaults are those of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestOptions {
    /// Connections.
    pub server: ServerOptions,
    /// Bytes of a request's body.
    pub max_body_size: usize,
    /// How long a request may take, from its head to its answer.
    pub request_timeout: Duration,
    /// Origins whose pages may call the API: `["*"]` is any, an empty list is none.
    pub cors_origins: Vec<String>,
}

impl Default for RestOptions {
    fn default() -> Self {
        Self {
            server: ServerOptions::named("rest"),
            max_body_size: 4 << 20,
            request_timeout: Duration::from_secs(30),
            cors_origins: vec!["*".to_owned()],
        }
    }
}
