//! The links between replicas, and what can go wrong with them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use super::namespaces::Namespaces;

/// What is wrong with a link, in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Packets vanish.
    Silent,
    /// The sender is told at once that there is no way.
    Refused,
}

/// The links of a cluster. All of it affects what passes between replicas, and nothing that passes between them and
/// clients, unless it says so.
pub struct FaultyLinks {
    namespaces: Namespaces,
    addresses: BTreeMap<String, Ipv4Addr>,
    faults: BTreeMap<(String, String), Fault>,
    throttled: BTreeSet<String>,
}

impl FaultyLinks {
    pub(super) fn new(namespaces: Namespaces, addresses: Vec<(String, Ipv4Addr)>) -> Self {
        Self {
            namespaces,
            addresses: addresses.into_iter().collect(),
            faults: BTreeMap::new(),
            throttled: BTreeSet::new(),
        }
    }

    pub(super) const fn namespaces(&self) -> &Namespaces {
        &self.namespaces
    }

    /// Nothing from one replica reaches the other any more; the other way is left alone.
    ///
    /// # Panics
    /// If that cannot be done.
    pub fn cut(&mut self, from: &str, to: &str) {
        done(self.namespaces.swallow(from, self.addresses[to]));
        self.put(from, to, Fault::Silent);
    }

    /// One replica is told at once that there is no way to the other; the other way is left alone.
    ///
    /// # Panics
    /// If that cannot be done.
    pub fn refuse(&mut self, from: &str, to: &str) {
        done(self.namespaces.refuse(from, self.addresses[to]));
        self.put(from, to, Fault::Refused);
    }

    /// One replica and all others hear nothing of each other any more.
    pub fn isolate(&mut self, replica: &str) {
        self.mute(replica);
        self.deafen(replica);
    }

    /// No other replica hears this one, and it still hears them.
    pub fn mute(&mut self, replica: &str) {
        for other in self.others(replica) {
            self.cut(replica, &other);
        }
    }

    /// This replica hears no other, and they still hear it.
    pub fn deafen(&mut self, replica: &str) {
        for other in self.others(replica) {
            self.cut(&other, replica);
        }
    }

    /// No replica hears any other.
    pub fn scatter(&mut self) {
        let all: Vec<_> = self.addresses.keys().cloned().collect();
        for replica in all {
            self.mute(&replica);
        }
    }

    /// All that a replica sends, to clients too, goes through a pipe so narrow.
    ///
    /// # Panics
    /// If that cannot be done.
    pub fn throttle(&mut self, replica: &str, kilobits_per_second: u32) {
        done(self.namespaces.throttle(replica, kilobits_per_second));
        self.throttled.insert(replica.to_owned());
    }

    /// Everything passes again.
    ///
    /// # Panics
    /// If that cannot be done.
    pub fn heal(&mut self) {
        for ((from, to), fault) in std::mem::take(&mut self.faults) {
            let to = self.addresses[&to];
            done(match fault {
                Fault::Silent => self.namespaces.pass(&from, to),
                Fault::Refused => self.namespaces.accept(&from, to),
            });
        }
        for replica in std::mem::take(&mut self.throttled) {
            done(self.namespaces.unthrottle(&replica));
        }
    }

    /// Packets that have vanished so far: while a link is cut that replicas use, the number grows.
    ///
    /// # Panics
    /// If it cannot be found out.
    pub fn vanished(&self) -> u64 {
        done(self.namespaces.swallowed())
    }

    /// Packets of a replica so far that had no way to go: while a link that it uses is refused, the number grows.
    ///
    /// # Panics
    /// If it cannot be found out.
    pub fn refused(&self, replica: &str) -> u64 {
        done(self.namespaces.refused(replica))
    }

    /// Packets of a throttled replica so far that had to wait.
    ///
    /// # Panics
    /// If it cannot be found out.
    pub fn held_up(&self, replica: &str) -> u64 {
        done(self.namespaces.held_up(replica))
    }

    /// Gives a replica that does not run another address.
    #[allow(clippy::panic, reason = "a test that asks for this is wrong")]
    pub(super) fn readdress(&mut self, replica: &str, to: Ipv4Addr) {
        assert!(self.faults.is_empty(), "heal the links before an address changes");
        let Some(address) = self.addresses.get_mut(replica) else {
            panic!("no replica is called {replica}");
        };
        done(self.namespaces.readdress(replica, *address, to));
        *address = to;
    }

    fn put(&mut self, from: &str, to: &str, fault: Fault) {
        let before = self.faults.insert((from.to_owned(), to.to_owned()), fault);
        assert!(
            before.is_none_or(|before| before == fault),
            "the link from {from} to {to} was broken already, in another way"
        );
    }

    fn others(&self, replica: &str) -> Vec<String> {
        self.addresses
            .keys()
            .filter(|name| *name != replica)
            .cloned()
            .collect()
    }
}

#[allow(clippy::panic, reason = "a fault that cannot be made is a failed test")]
fn done<T>(result: Result<T, String>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}
