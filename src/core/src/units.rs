//! Times and sizes as types, so that seconds are never taken for milliseconds nor bytes for chunks.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A point in time: milliseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The epoch itself, earlier than any command.
    pub const EPOCH: Self = Self(0);

    /// From milliseconds since the Unix epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, as the wire formats carry times.
    pub const fn as_unix_seconds(self) -> i64 {
        // A u64 of milliseconds divided by 1,000 always fits an i64.
        (self.0 / 1_000) as i64
    }

    /// This time and `span` more; stops at the end of the range.
    pub const fn plus(self, span: Millis) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// This time and `span` less; stops at the epoch.
    pub const fn minus(self, span: Millis) -> Self {
        Self(self.0.saturating_sub(span.0))
    }

    /// The earlier of two times, where one or both may be missing.
    pub fn earlier(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        }
    }

    /// How long after `earlier` this is; zero if it is not after it.
    pub const fn since(self, earlier: Self) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}ms", self.0)
    }
}

/// A span of time in milliseconds.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Millis(u64);

impl Millis {
    /// From milliseconds.
    pub const fn new(millis: u64) -> Self {
        Self(millis)
    }

    /// From whole seconds; stops at the end of the range.
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1_000))
    }

    /// The number of milliseconds.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// So many times this span; stops at the end of the range.
    pub const fn times(self, count: u32) -> Self {
        Self(self.0.saturating_mul(count as u64))
    }
}

impl From<std::time::Duration> for Millis {
    fn from(duration: std::time::Duration) -> Self {
        Self(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }
}

impl fmt::Debug for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

/// A number of bytes.
///
/// The wire formats carry sizes as signed 64-bit integers, so a size never exceeds `i64::MAX`.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ByteSize(u64);

impl ByteSize {
    /// No bytes at all.
    pub const ZERO: Self = Self(0);

    /// From a number of bytes; stops at `i64::MAX`.
    pub const fn new(bytes: u64) -> Self {
        if bytes > i64::MAX as u64 {
            Self(i64::MAX as u64)
        } else {
            Self(bytes)
        }
    }

    /// From the signed integer of a wire format, if it is not negative.
    pub fn from_wire(bytes: i64) -> Option<Self> {
        u64::try_from(bytes).ok().map(Self)
    }

    /// The number of bytes.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number of bytes as the wire formats carry it.
    pub const fn to_wire(self) -> i64 {
        self.0 as i64
    }

    /// The sum; stops at `i64::MAX`.
    pub const fn plus(self, other: Self) -> Self {
        Self::new(self.0.saturating_add(other.0))
    }

    /// The difference; stops at zero.
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Debug for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}B", self.0)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0)
    }
}

/// The place of a command in the one order that all replicas share: the index of its log entry, or of its transaction.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AppliedIndex(u64);

impl AppliedIndex {
    /// From the number.
    pub const fn new(index: u64) -> Self {
        Self(index)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Debug for AppliedIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

impl fmt::Display for AppliedIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{ByteSize, Millis, Timestamp};

    #[test]
    fn times_stop_at_the_ends_of_their_range() {
        assert_eq!(Timestamp::EPOCH.minus(Millis::new(1)), Timestamp::EPOCH);
        let last = Timestamp::from_millis(u64::MAX);
        assert_eq!(last.plus(Millis::new(1)), last);
        assert_eq!(Timestamp::EPOCH.since(last), Millis::new(0));
        assert_eq!(last.as_unix_seconds(), 18_446_744_073_709_551);
    }

    #[test]
    fn sizes_round_trip_the_wire_and_refuse_negatives() {
        assert_eq!(ByteSize::from_wire(-1), None);
        assert_eq!(
            ByteSize::from_wire(i64::MAX).map(ByteSize::to_wire),
            Some(i64::MAX)
        );
        assert_eq!(ByteSize::new(u64::MAX).to_wire(), i64::MAX);
    }
}
