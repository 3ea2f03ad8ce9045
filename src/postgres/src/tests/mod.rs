//! Tests on a real server.

mod answers;
mod backlog;
mod believers;
mod company;
mod conformance;
mod crowded;
mod engine;
mod exchange;
mod full_disk;
mod gone;
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
