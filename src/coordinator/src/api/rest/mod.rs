//! The REST API: JSON over HTTP/1.1 under `/api/v1`, with its own description in OpenAPI and a page to browse
//! it.
//!
//! A handler in `routes` converts, calls the service, and converts back. `dto` has the JSON forms by noun,
//! `request` takes requests apart, `reply` and `failure` put answers together, and `openapi` writes down what
//! all of them do. Served by the composition root over [`crate::http_server`].

mod applied_index;
mod body_limits;
mod cors;
mod dto;
mod failure;
mod fallback;
mod leader;
mod number;
mod object;
mod openapi;
mod options;
mod reply;
mod request;
mod router;
mod routes;
mod slow;
mod span;
mod state;

pub use options::RestOptions;
pub use router::{Rest, RestError};
