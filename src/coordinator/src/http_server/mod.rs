//! An HTTP/1.1 server that no client can wear down: bounded connections, heads that must arrive in time,
//! responses that must be taken in time, and an orderly end.
//!
//! It knows nothing of what is served: the REST API and the health port hand it their routers. TLS is the
//! business of whatever stands in front.

mod client_stream;
mod connection;
mod head_timer;
mod options;
mod serve;

pub use options::ServerOptions;
pub use serve::serve;
