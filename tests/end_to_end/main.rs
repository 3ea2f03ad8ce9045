//! End-to-end tests: a real coordinator process, spoken to as its clients do.

mod contract;
mod durability;
mod fleet;
mod heartbeats;
mod start_up;
