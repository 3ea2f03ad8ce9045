//! Skeleton.
pub mod invariants;
