//! Tests on a real server.

mod conformance;
mod support;
