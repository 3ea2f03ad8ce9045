//! Tests on a real server.

mod believers;
mod conformance;
mod engine;
mod full_disk;
mod hammer;
mod lease;
mod lost_answers;
mod parts;
mod support;
mod tls;
mod trouble;
