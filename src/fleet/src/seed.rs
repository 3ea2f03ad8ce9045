//! The number that makes a run repeatable.

/// The seed that was asked for, or a new one: small enough to be exact in any JSON reader.
#[must_use]
pub fn given_or_new(seed: Option<u64>) -> u64 {
    seed.unwrap_or_else(|| rand::random::<u64>() >> 16)
}
