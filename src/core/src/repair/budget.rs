//! Bytes a second: what copying may take of the nodes' links, so that clients have the rest.

use std::collections::BTreeMap;

use crate::id::NodeId;
use crate::row::TaskReason;
use crate::units::{ByteSize, Timestamp};

use super::Class;

/// A bucket holds what comes in so many seconds.
const BURST_SECONDS: u64 = 10;

/// Rates, in bytes a second; `None` is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rates {
    /// All copies together.
    pub overall: Option<u64>,
    /// Into each node, and out of each.
    pub per_node: Option<u64>,
}

/// A token bucket that may be overdrawn by one copy, so that no chunk is too large for it.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    bytes: i64,
    filled_at: Timestamp,
}

/// What may be copied now.
#[derive(Debug, Default)]
pub struct Budget {
    rates: Rates,
    overall: Option<Bucket>,
    into: BTreeMap<NodeId, Bucket>,
    out_of: BTreeMap<NodeId, Bucket>,
}

impl Budget {
    /// Full buckets.
    pub fn new(rates: Rates) -> Self {
        Self {
            rates,
            ..Self::default()
        }
    }

    /// Forgets nodes whose buckets are full again: as many are kept as had to do lately.
    pub fn tidy(&mut self, now: Timestamp) {
        let Some(rate) = self.rates.per_node else { return };
        for buckets in [&mut self.into, &mut self.out_of] {
            buckets.retain(|_, bucket| bucket.level(rate, now) < capacity(rate));
        }
    }

    /// Whether a copy from one node to another may begin. One of a last copy always may.
    pub fn allows(
        &self,
        target: &NodeId,
        source: Option<&NodeId>,
        reason: TaskReason,
        now: Timestamp,
    ) -> bool {
        if Class::from(reason) == Class::LastCopy {
            return true;
        }
        self.overall_allows(now)
            && self.node_allows(&self.into, target, now)
            && source.is_none_or(|source| self.node_allows(&self.out_of, source, now))
    }

    /// Whether a node may take one more, and all of them together.
    pub fn allows_into(&self, target: &NodeId, reason: TaskReason, now: Timestamp) -> bool {
        self.allows(target, None, reason, now)
    }

    /// A copy begins.
    pub fn spend(&mut self, target: &NodeId, source: Option<&NodeId>, size: ByteSize, now: Timestamp) {
        if let Some(rate) = self.rates.overall {
            let full = Bucket::full(rate, now);
            self.overall.get_or_insert(full).spend(size, rate, now);
        }
        if let Some(rate) = self.rates.per_node {
            let full = Bucket::full(rate, now);
            self.into
                .entry(target.clone())
                .or_insert(full)
                .spend(size, rate, now);
            if let Some(source) = source {
                self.out_of
                    .entry(source.clone())
                    .or_insert(full)
                    .spend(size, rate, now);
            }
        }
    }

    fn overall_allows(&self, now: Timestamp) -> bool {
        match (self.rates.overall, &self.overall) {
            (Some(rate), Some(bucket)) => bucket.level(rate, now) > 0,
            _ => true,
        }
    }

    fn node_allows(&self, buckets: &BTreeMap<NodeId, Bucket>, node: &NodeId, now: Timestamp) -> bool {
        match (self.rates.per_node, buckets.get(node)) {
            (Some(rate), Some(bucket)) => bucket.level(rate, now) > 0,
            _ => true,
        }
    }
}

fn capacity(rate: u64) -> i64 {
    i64::try_from(rate.saturating_mul(BURST_SECONDS)).unwrap_or(i64::MAX)
}

impl Bucket {
    fn full(rate: u64, now: Timestamp) -> Self {
        Self {
            bytes: capacity(rate),
            filled_at: now,
        }
    }

    fn level(&self, rate: u64, now: Timestamp) -> i64 {
        let elapsed = u128::from(now.since(self.filled_at).get());
        let gained = i64::try_from(elapsed * u128::from(rate) / 1_000).unwrap_or(i64::MAX);
        self.bytes.saturating_add(gained).min(capacity(rate))
    }

    fn spend(&mut self, size: ByteSize, rate: u64, now: Timestamp) {
        // A debt that last copies made is forgotten in time: others must not wait for hours.
        let left = self.level(rate, now).saturating_sub(size.to_wire());
        self.bytes = left.max(-capacity(rate));
        self.filled_at = self.filled_at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::{Budget, Rates};
    use crate::id::NodeId;
    use crate::row::TaskReason::{LastCopy, UnderTarget};
    use crate::units::{ByteSize, Millis, Timestamp};

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    /// Copies of 500 bytes that may begin between nodes until a time, each as soon as it may.
    fn copies_until(budget: &mut Budget, from: &str, to: &str, until: u64) -> usize {
        let (from, to) = (NodeId::from(from), NodeId::from(to));
        let mut begun = 0;
        for millis in (0..=until).step_by(10) {
            while budget.allows(&to, Some(&from), UnderTarget, at(millis)) {
                budget.spend(&to, Some(&from), ByteSize::new(500), at(millis));
                begun += 1;
            }
        }
        begun
    }

    #[test]
    fn a_node_takes_its_rate_after_a_burst() {
        let rates = Rates {
            per_node: Some(1_000),
            overall: None,
        };
        let mut budget = Budget::new(rates);
        assert_eq!(copies_until(&mut budget, "a", "b", 10_000), 40);
        assert!(!budget.allows(&"b".into(), Some(&"c".into()), UnderTarget, at(10_000)));
        assert!(!budget.allows(&"c".into(), Some(&"a".into()), UnderTarget, at(10_000)));
        assert!(budget.allows(&"c".into(), Some(&"b".into()), UnderTarget, at(10_000)));
        budget.tidy(at(10_000).plus(Millis::new(11_000)));
        assert!(budget.into.is_empty() && budget.out_of.is_empty());
    }

    #[test]
    fn all_together_have_a_rate_of_their_own() {
        let rates = Rates {
            per_node: None,
            overall: Some(1_000),
        };
        let mut budget = Budget::new(rates);
        let begun = copies_until(&mut budget, "a", "b", 5_000) + copies_until(&mut budget, "c", "d", 5_000);
        assert_eq!(begun, 30);
    }

    #[test]
    fn one_large_chunk_overdraws_and_a_last_copy_never_waits() {
        let rates = Rates {
            per_node: Some(10),
            overall: Some(10),
        };
        let mut budget = Budget::new(rates);
        let (from, to) = (NodeId::from("a"), NodeId::from("b"));
        assert!(budget.allows(&to, Some(&from), UnderTarget, at(0)));
        budget.spend(&to, Some(&from), ByteSize::new(150), at(0));
        assert!(!budget.allows(&to, Some(&from), UnderTarget, at(5_000)));
        assert!(budget.allows(&to, Some(&from), UnderTarget, at(5_100)));
        budget.spend(&to, Some(&from), ByteSize::new(1 << 40), at(5_100));
        assert!(!budget.allows(&to, Some(&from), UnderTarget, at(15_100)));
        assert!(
            budget.allows(&to, Some(&from), UnderTarget, at(15_200)),
            "a debt is bounded"
        );
        assert!(budget.allows(&to, Some(&from), LastCopy, at(0)));
    }

    #[test]
    fn without_rates_nothing_waits() {
        let mut budget = Budget::new(Rates::default());
        let node = NodeId::from("n");
        budget.spend(&node, None, ByteSize::new(u64::MAX), at(0));
        assert!(budget.allows(&node, None, UnderTarget, at(0)));
    }
}
