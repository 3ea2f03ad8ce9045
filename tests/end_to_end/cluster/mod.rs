//! Several replicas, and what happens to them.

mod exchange;
mod files;
mod forming;
mod idempotency;
mod leader_loss;
mod membership;
mod nemesis;
mod partitions;
mod quorum;
mod recover;
mod snapshots;
mod storage;
