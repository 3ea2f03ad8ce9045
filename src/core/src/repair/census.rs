//! Who was there when a silence began, and which failure domains lost everyone since.
//!
//! Silences are gone through in the order in which they began. Each node comes once and goes once, so one silence more costs
//! what changed since the one before, and not another look at all nodes.

use std::collections::BTreeSet;

use super::{BrakePolicy, Heard};
use crate::placement::Domain;
use crate::row::Observed;
use crate::units::Timestamp;

/// A domain of fewer nodes is never lost as a whole: it is that node which is.
const FEWEST: usize = 2;

/// The nodes that were there when the silence that is looked at began, and those of them that are silent.
#[derive(Debug)]
pub(super) struct Census<'a> {
    /// By their places among the nodes that it was taken of.
    members: Vec<Member>,
    /// How many members were there.
    there: usize,
    /// Each before those that lie in it, and those in the order of their names.
    domains: Vec<Counted<'a>>,
    /// Those that have a name and lost everyone, with wider ones that did.
    lost: BTreeSet<usize>,
    /// Nodes that are active, by when they came, and those that are not, by when they fell silent.
    comers: Vec<(Timestamp, usize)>,
    goers: Vec<(Timestamp, usize)>,
    /// How many of these have come, and gone.
    came: usize,
    went: usize,
    /// How often a member changed.
    #[cfg(test)]
    pub(super) changes: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Member {
    is_there: bool,
    is_silent: bool,
    /// The widest first; `None` if domains do not matter.
    domains: Option<[usize; Domain::SHARED_LEVELS]>,
}

#[derive(Debug)]
struct Counted<'a> {
    level: usize,
    name: Option<&'a str>,
    /// The domain that it lies in.
    wider: Option<usize>,
    /// How many of its nodes were there, and how many of those are heard still.
    there: usize,
    heard: usize,
}

impl Member {
    const fn is_heard(self) -> bool {
        self.is_there && !self.is_silent
    }
}

impl Counted<'_> {
    const fn is_lost(&self) -> bool {
        self.name.is_some() && self.there >= FEWEST && self.heard == 0
    }
}

impl<'a> Census<'a> {
    /// Before any silence. Domains are looked at only if they matter: there are many more of them than silent nodes.
    pub(super) fn new(nodes: &[Heard<'a>], policy: &BrakePolicy, domains_matter: bool) -> Self {
        let (mut comers, mut goers) = (Vec::new(), Vec::new());
        for (place, node) in nodes.iter().enumerate() {
            match node.row.observed {
                Observed::Active => comers.push((node.row.registered_at, place)),
                Observed::Inactive { since, .. } => goers.push((node.silent_since(since, policy), place)),
            }
        }
        comers.sort_unstable();
        goers.sort_unstable();
        let mut census = Self {
            members: vec![Member::default(); nodes.len()],
            there: 0,
            domains: Vec::new(),
            lost: BTreeSet::new(),
            comers,
            goers,
            came: 0,
            went: 0,
            #[cfg(test)]
            changes: 0,
        };
        if domains_matter {
            census.arrange(nodes);
        }
        for at in 0..census.goers.len() {
            census.change(census.goers[at].1, |member| member.is_there = true);
        }
        census
    }

    fn arrange(&mut self, nodes: &[Heard<'a>]) {
        let names = |node: &Heard<'a>| Domain::names(&node.row.capabilities);
        let mut sorted: Vec<_> = nodes.iter().map(names).zip(0..).collect();
        sorted.sort_unstable();
        let mut last: Option<(
            [Option<&'a str>; Domain::SHARED_LEVELS],
            [usize; Domain::SHARED_LEVELS],
        )> = None;
        for (names, place) in sorted {
            let (mut domains, mut wider) = ([0; Domain::SHARED_LEVELS], None);
            for level in 0..Domain::SHARED_LEVELS {
                let same = last.filter(|(others, _)| others[..=level] == names[..=level]);
                domains[level] = same.map_or(self.domains.len(), |(_, known)| known[level]);
                if same.is_none() {
                    self.domains.push(Counted {
                        level,
                        name: names[level],
                        wider,
                        there: 0,
                        heard: 0,
                    });
                }
                wider = Some(domains[level]);
            }
            self.members[place].domains = Some(domains);
            last = Some((names, domains));
        }
    }

    /// Looks at a silence that began at a time, which is not before the one that was looked at last.
    pub(super) fn look_at(&mut self, began: Timestamp) {
        while let Some((_, place)) = self.comers.get(self.came).filter(|(at, _)| *at <= began) {
            self.change(*place, |member| member.is_there = true);
            self.came += 1;
        }
        while let Some((_, place)) = self.goers.get(self.went).filter(|(at, _)| *at < began) {
            self.change(*place, |member| member.is_there = false);
            self.went += 1;
        }
    }

    /// Whether a node belongs to the silence that is looked at.
    pub(super) fn set_silent(&mut self, place: usize, is_silent: bool) {
        self.change(place, |member| member.is_silent = is_silent);
    }

    /// How many nodes were there when it began.
    pub(super) const fn there(&self) -> usize {
        self.there
    }

    /// The widest failure domains that lost every node they had, of those with more than one.
    pub(super) fn lost(&self) -> impl Iterator<Item = String> {
        let widest = self.lost.iter().filter_map(|&domain| {
            let domain = &self.domains[domain];
            let mut wider = domain.wider;
            while let Some(at) = wider {
                if self.lost.contains(&at) {
                    return None;
                }
                wider = self.domains[at].wider;
            }
            Some(domain)
        });
        widest.filter_map(|domain| Some(Domain::label(domain.level, domain.name?)))
    }

    fn change(&mut self, place: usize, change: impl FnOnce(&mut Member)) {
        let before = self.members[place];
        change(&mut self.members[place]);
        let after = self.members[place];
        let recount =
            |count: &mut usize, was: bool, is: bool| *count = *count + usize::from(is) - usize::from(was);
        recount(&mut self.there, before.is_there, after.is_there);
        for at in after.domains.into_iter().flatten() {
            let domain = &mut self.domains[at];
            recount(&mut domain.there, before.is_there, after.is_there);
            recount(&mut domain.heard, before.is_heard(), after.is_heard());
            if domain.is_lost() {
                self.lost.insert(at);
            } else {
                self.lost.remove(&at);
            }
        }
        #[cfg(test)]
        {
            self.changes += 1;
        }
    }
}
