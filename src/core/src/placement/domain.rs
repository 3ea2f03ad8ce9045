//! Failure domains: what fails together with a node.

use std::collections::BTreeMap;
use std::sync::Arc;

/// How many levels of failure domains there are.
pub(super) const LEVELS: usize = 4;

/// The capabilities that name a node's domains, the widest first. Sharing a wider one is worse.
pub(super) const NAMES: [&str; LEVELS] = ["region", "zone", "rack", "host"];

/// Where a node stands among the failure domains.
///
/// A level that the node does not name is a placeholder within the level above: nodes of one zone that name no rack are
/// taken to be in one rack of that zone, and in no rack of any other. The host is the exception: a node that names none
/// is a host of its own.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Domain {
    /// Shared between all clones: there is one for each node, and all are cloned whenever nodes are arranged.
    levels: Arc<[Option<String>; LEVELS]>,
}

impl Domain {
    /// From what a node says about itself. An empty name is no name.
    pub fn of(capabilities: &BTreeMap<String, String>) -> Self {
        Self {
            levels: Arc::new(NAMES.map(|level| name(capabilities, level).cloned())),
        }
    }

    /// What a node calls the domains that it shares with others, the widest first.
    pub(crate) fn names(capabilities: &BTreeMap<String, String>) -> [Option<&str>; Self::SHARED_LEVELS] {
        let [region, zone, rack, _] = NAMES;
        [region, zone, rack].map(|level| name(capabilities, level).map(String::as_str))
    }

    /// Levels that many nodes share: all but the host.
    pub const SHARED_LEVELS: usize = LEVELS - 1;

    /// The domain of a level, as `zone b`.
    pub(crate) fn label(level: usize, name: &str) -> String {
        format!("{} {name}", NAMES[level])
    }

    /// The narrowest level above the host that is named.
    pub(super) fn narrowest_shared(&self) -> Option<usize> {
        (0..Self::SHARED_LEVELS)
            .rev()
            .find(|&level| self.levels[level].is_some())
    }

    /// How many levels, from the widest, two different nodes share.
    pub(super) fn levels_shared_with(&self, other: &Self) -> usize {
        let pairs = self.levels.iter().zip(other.levels.iter());
        let same = pairs.take_while(|(one, other)| one == other).count();
        if same == LEVELS && self.levels[LEVELS - 1].is_none() {
            LEVELS - 1
        } else {
            same
        }
    }
}

fn name<'a>(capabilities: &'a BTreeMap<String, String>, level: &str) -> Option<&'a String> {
    capabilities.get(level).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::Domain;

    fn domain<const N: usize>(names: [(&str, &str); N]) -> Domain {
        let owned = names.map(|(level, name)| (level.to_owned(), name.to_owned()));
        Domain::of(&owned.into())
    }

    #[test]
    fn nodes_share_domains_from_the_widest_down() {
        let one = domain([("region", "eu"), ("zone", "a"), ("rack", "1"), ("host", "x")]);
        for (other, shared) in [
            (one.clone(), 4),
            (
                domain([("region", "eu"), ("zone", "a"), ("rack", "1"), ("host", "y")]),
                3,
            ),
            (
                domain([("region", "eu"), ("zone", "b"), ("rack", "1"), ("host", "x")]),
                1,
            ),
            (
                domain([("region", "us"), ("zone", "a"), ("rack", "1"), ("host", "x")]),
                0,
            ),
            (domain([("region", "eu"), ("zone", "a")]), 2),
            (domain([("region", "eu"), ("zone", "")]), 1),
        ] {
            assert_eq!(one.levels_shared_with(&other), shared, "{other:?}");
        }
    }

    #[test]
    fn nodes_that_name_no_host_never_share_one() {
        assert_eq!(domain([]).levels_shared_with(&domain([])), 3);
        let rack = || domain([("zone", "a"), ("rack", "1")]);
        assert_eq!(rack().levels_shared_with(&rack()), 3);
    }
}
