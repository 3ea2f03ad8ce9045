//! A node as the planner sees it.

use std::fmt;

use super::domain::Domain;
use super::room::{Fit, Purpose, Room};
use crate::id::NodeId;
use crate::row::{BeatRow, NodeRow, NodeStats, Observed, Wanted};
use crate::units::{ByteSize, Timestamp};

/// A node that may be chosen, or may not, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The node.
    pub id: NodeId,
    /// Why nothing at all is placed on it now; `None` if it is active and in service.
    pub unfit: Option<Exclusion>,
    /// Where it stands among the failure domains.
    pub domain: Domain,
    /// The space it offers: its capacity, or what it reports as used and available when it registered without one.
    pub capacity: ByteSize,
    /// The space in use, with what was promised to it.
    pub used: ByteSize,
    /// The space for new chunks, without what was promised.
    pub free: ByteSize,
    /// How busy its processors are, in permille.
    pub load: u16,
    /// Whether it is held down because it comes and goes: a last choice for new chunks, and none for repair.
    pub is_held: bool,
}

/// Why a node is not chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exclusion {
    /// It was silent for too long.
    Inactive,
    /// It is in maintenance.
    Maintenance,
    /// It gives up its chunks.
    Draining,
    /// It was unregistered.
    Removed,
    /// It is filled so far that it takes no new chunks, or the chunk does not fit.
    TooFull {
        /// The share of its space in use, in permille.
        used_permille: u64,
        /// The space for new chunks.
        free: ByteSize,
    },
    /// It has a copy already, or was told to take one.
    AlreadyHolds,
    /// It has as many tasks as it can be told at once.
    Busy,
    /// It shares a failure domain with a copy, and nodes that do not are free.
    SharesDomain {
        /// `region`, `zone`, `rack` or `host`.
        level: &'static str,
    },
    /// It comes and goes: for some time nothing is entrusted to it that another can take.
    HeldDown,
    /// It was not heard from for longer than it should take: it may be lost.
    Late,
    /// It was told lately to fetch copies and did not bring them.
    BackingOff,
}

impl fmt::Display for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inactive => f.write_str("it is inactive"),
            Self::Maintenance => f.write_str("it is in maintenance"),
            Self::Draining => f.write_str("it is draining"),
            Self::Removed => f.write_str("it was unregistered"),
            Self::TooFull { used_permille, free } => {
                let (percent, tenth) = (used_permille / 10, used_permille % 10);
                write!(f, "it is too full: {percent}.{tenth} % used, {free} free")
            }
            Self::AlreadyHolds => f.write_str("it already holds the chunk"),
            Self::Busy => f.write_str("it has as many tasks as it can be told"),
            Self::SharesDomain { level } => {
                write!(f, "it shares a {level} with a copy while others are free")
            }
            Self::HeldDown => f.write_str("it comes and goes and is held down for some time"),
            Self::Late => f.write_str("it was not heard from for longer than it should take"),
            Self::BackingOff => f.write_str("it did not bring copies that it was told to fetch"),
        }
    }
}

impl Candidate {
    /// A node with what it said last and what was promised to it since.
    ///
    /// A node that never reported, which is one whose figures are all zero, has all it offers free. One that did has free
    /// what it says, but no more than it offers beyond what it uses.
    pub fn new(
        id: NodeId,
        node: &NodeRow,
        beat: Option<&BeatRow>,
        promised: ByteSize,
        now: Timestamp,
    ) -> Self {
        let stats = beat.map(|beat| beat.stats).unwrap_or_default();
        let has_reported = stats != NodeStats::default();
        let (capacity, free) = match (node.capacity, has_reported) {
            (capacity, false) => (capacity, capacity),
            (ByteSize::ZERO, true) => (
                stats.storage_used.plus(stats.storage_available),
                stats.storage_available,
            ),
            (capacity, true) => (
                capacity,
                stats.storage_available.min(capacity.minus(stats.storage_used)),
            ),
        };
        Self {
            id,
            unfit: unfit(node),
            domain: Domain::of(&node.capabilities),
            capacity,
            used: stats.storage_used.plus(promised),
            free: free.minus(promised),
            load: load(&stats),
            is_held: node.contact.is_held(now),
        }
    }

    /// The share of its space in use, in permille.
    pub fn used_permille(&self) -> u64 {
        let used = u128::from(self.used.get()) * 1_000;
        match used.checked_div(u128::from(self.capacity.get())) {
            Some(permille) => u64::try_from(permille).unwrap_or(u64::MAX),
            None => 1_000,
        }
    }

    /// Why a chunk of this size is not placed on the node, if it is not.
    pub fn exclusion(&self, size: ByteSize, purpose: Purpose) -> Option<Exclusion> {
        self.unfit
            .or_else(|| match self.room().fit(0, size.get(), purpose) {
                Fit::Well | Fit::LastChoice => None,
                Fit::No if self.is_held && purpose == Purpose::Repair => Some(Exclusion::HeldDown),
                Fit::No => Some(Exclusion::TooFull {
                    used_permille: self.used_permille(),
                    free: self.free,
                }),
            })
    }

    /// How much more the node takes before it is too full, or has nothing free.
    pub fn room_for(&self, purpose: Purpose) -> ByteSize {
        ByteSize::new(self.room().until_full(purpose))
    }

    pub(super) fn room(&self) -> Room {
        let room = Room::new(self.capacity, self.used, self.free);
        if self.is_held { room.held() } else { room }
    }
}

/// The same order of reasons as in [`NodeRow::status`].
const fn unfit(node: &NodeRow) -> Option<Exclusion> {
    match (&node.wanted, node.observed) {
        (Wanted::Removed { .. }, _) => Some(Exclusion::Removed),
        (Wanted::Maintenance { .. }, _) => Some(Exclusion::Maintenance),
        (Wanted::InService | Wanted::Draining(_), Observed::Inactive { .. }) => Some(Exclusion::Inactive),
        (Wanted::Draining(_), Observed::Active) => Some(Exclusion::Draining),
        (Wanted::InService, Observed::Active) => None,
    }
}

/// Percent as the node said, in permille. What is no number is no load; the conversion stops at the ends of the range.
fn load(stats: &NodeStats) -> u16 {
    ((stats.cpu_usage * 10.0) as u16).min(1_000)
}

#[cfg(test)]
mod tests {
    use super::{Candidate, Exclusion, Purpose};
    use crate::row::Contact;
    use crate::row::{BeatRow, NodeRow, NodeStats, Observed, Wanted};
    use crate::testing::draining;
    use crate::units::{ByteSize, Timestamp};

    fn node(capacity: u64) -> NodeRow {
        NodeRow {
            addresses: Vec::new(),
            capacity: ByteSize::new(capacity),
            capabilities: std::collections::BTreeMap::new(),
            registered_at: Timestamp::EPOCH,
            wanted: Wanted::InService,
            observed: Observed::Active,
            contact: Contact::default(),
        }
    }

    /// Capacity, used and free of a node that reported used and available.
    fn space(capacity: u64, reported: Option<(u64, u64)>, promised: u64) -> (u64, u64, u64) {
        let beat = reported.map(|(used, available)| BeatRow {
            at: Timestamp::EPOCH,
            stats: NodeStats {
                storage_used: ByteSize::new(used),
                storage_available: ByteSize::new(available),
                uptime_seconds: 1,
                ..NodeStats::default()
            },
        });
        let candidate = Candidate::new(
            "n".into(),
            &node(capacity),
            beat.as_ref(),
            ByteSize::new(promised),
            Timestamp::EPOCH,
        );
        (
            candidate.capacity.get(),
            candidate.used.get(),
            candidate.free.get(),
        )
    }

    #[test]
    fn free_space_is_what_the_node_says_within_what_it_offers() {
        assert_eq!(space(1_000, None, 0), (1_000, 0, 1_000), "it never reported");
        assert_eq!(space(1_000, Some((300, 700)), 0), (1_000, 300, 700));
        assert_eq!(
            space(1_000, Some((300, 200)), 0),
            (1_000, 300, 200),
            "others use its disk, too"
        );
        assert_eq!(
            space(1_000, Some((300, 9_999)), 0),
            (1_000, 300, 700),
            "it offers a part of its disk"
        );
        assert_eq!(
            space(1_000, Some((0, 0)), 0),
            (1_000, 0, 0),
            "it reported that there is none"
        );
        assert_eq!(
            space(0, Some((300, 200)), 0),
            (500, 300, 200),
            "it registered without a capacity"
        );
        assert_eq!(
            space(1_000, Some((1_500, 10)), 0),
            (1_000, 1_500, 0),
            "it uses more than it offers"
        );
    }

    #[test]
    fn what_is_promised_counts_as_used() {
        assert_eq!(space(1_000, Some((300, 700)), 100), (1_000, 400, 600));
        assert_eq!(space(1_000, None, 5_000), (1_000, 5_000, 0));
    }

    #[test]
    fn only_a_node_that_takes_replicas_is_fit() {
        let since = Timestamp::EPOCH;
        for wanted in [
            Wanted::InService,
            draining(),
            Wanted::Maintenance { until: since },
            Wanted::Removed {
                at: since,
                reason: String::new(),
                drain: None,
            },
        ] {
            for observed in [
                Observed::Active,
                Observed::Inactive {
                    since,
                    written_off: false,
                },
            ] {
                let node = NodeRow {
                    wanted: wanted.clone(),
                    observed,
                    ..node(1_000)
                };
                let candidate = Candidate::new("n".into(), &node, None, ByteSize::ZERO, Timestamp::EPOCH);
                assert_eq!(candidate.unfit.is_none(), node.takes_replicas(), "{node:?}");
                assert_eq!(
                    candidate.exclusion(ByteSize::new(1), Purpose::New),
                    candidate.unfit
                );
            }
        }
    }

    #[test]
    fn a_full_node_says_how_full() {
        let beat = BeatRow {
            at: Timestamp::EPOCH,
            stats: NodeStats {
                storage_used: ByteSize::new(9_012),
                storage_available: ByteSize::new(988),
                ..NodeStats::default()
            },
        };
        let candidate = Candidate::new(
            "n".into(),
            &node(10_000),
            Some(&beat),
            ByteSize::ZERO,
            Timestamp::EPOCH,
        );
        let reason = candidate.exclusion(ByteSize::new(1), Purpose::New).unwrap();
        assert_eq!(reason.to_string(), "it is too full: 90.1 % used, 988 bytes free");
        let small = Candidate::new("n".into(), &node(10), None, ByteSize::ZERO, Timestamp::EPOCH);
        assert!(matches!(
            small.exclusion(ByteSize::new(11), Purpose::New),
            Some(Exclusion::TooFull { .. })
        ));
    }

    #[test]
    fn load_is_permille_whatever_a_node_says() {
        for (percent, permille) in [
            (0.0, 0),
            (12.34, 123),
            (100.0, 1_000),
            (1e300, 1_000),
            (-5.0, 0),
            (f64::NAN, 0),
        ] {
            let stats = NodeStats {
                cpu_usage: percent,
                ..NodeStats::default()
            };
            assert_eq!(super::load(&stats), permille, "{percent}");
        }
    }
}
