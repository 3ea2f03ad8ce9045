//! Several replicas, and what happens to them.

mod files;
mod forming;
mod leader_loss;
