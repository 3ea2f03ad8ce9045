//! Tests of the whole room: the stores under openraft's own suite, and the engine over both.

mod cluster;
mod conformance;
mod engine;
mod events;
mod exchange;
mod leader_change;
mod panics;
mod power;
mod recovery;
mod simulation;
mod snapshots;
mod suite;
mod support;
