//! Tasks: what nodes are told to do in answer to their heartbeats, and what operators see of it.

mod handout;
mod list;

pub use list::TaskDetails;
