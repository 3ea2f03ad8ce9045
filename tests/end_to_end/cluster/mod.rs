//! Several replicas, and what happens to them.

mod forming;
