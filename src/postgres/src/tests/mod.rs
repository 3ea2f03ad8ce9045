//! Tests on a real server.

mod answers;
mod backlog;
mod believers;
mod company;
mod conformance;
mod engine;
mod exchange;
mod full_disk;
mod hammer;
mod indexes;
mod lease;
mod lost_answers;
mod parts;
mod silence;
mod support;
mod tls;
mod trouble;
mod usage;
mod ways;
