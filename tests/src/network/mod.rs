//! Where the replicas of a cluster are: all on the loopback address with ports of their own, or each in a network
//! namespace of its own, so that the links between them can be cut.

mod links;
mod namespaces;
mod slot;

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::{Path, PathBuf};

pub use links::FaultyLinks;
use namespaces::Namespaces;
use slot::Slot;

use crate::place::Place;

/// The ports of the contract, where every replica has an address of its own.
const PORTS: Ports = Ports {
    grpc: 8080,
    rest: 8090,
    health: 8091,
    peer: 8092,
};

/// Replicas have addresses from here on in a network of their own.
const FIRST_HOST: u8 = 10;

/// Where a replica may be: where it begins, and where it may move to.
const HOMES: usize = 2;

#[derive(Clone, Copy)]
struct Ports {
    grpc: u16,
    rest: u16,
    health: u16,
    peer: u16,
}

/// The network of one cluster, and the share of the machine that it has. Everything of it goes with this.
pub(crate) struct Network {
    /// The replicas, and in which of its homes each is.
    homes: Vec<(String, usize)>,
    links: Option<FaultyLinks>,
    /// Last, so that nobody else gets it before everything in it is gone.
    slot: Slot,
}

impl Network {
    /// All on the loopback address, each with ports of its own.
    pub(crate) fn on_loopback(names: &[String]) -> Self {
        let slot = Slot::take(Namespaces::remove_leftovers);
        Self::with(names, slot, None)
    }

    /// Each with an address of its own, and links that can be cut.
    ///
    /// # Panics
    /// If that takes what is not there, with what to do about it.
    #[allow(clippy::panic, reason = "a test that cannot do what it is for has failed")]
    pub(crate) fn with_links(names: &[String]) -> Self {
        let slot = Slot::take(Namespaces::remove_leftovers);
        let addresses: Vec<_> = (0..names.len())
            .map(|number| host_address(&slot, number, 0))
            .collect();
        let addresses: Vec<_> = names.iter().cloned().zip(addresses).collect();
        let namespaces =
            Namespaces::make(slot.number(), &addresses).unwrap_or_else(|error| panic!("{error}"));
        Self::with(names, slot, Some(FaultyLinks::new(namespaces, addresses)))
    }

    fn with(names: &[String], slot: Slot, links: Option<FaultyLinks>) -> Self {
        Self {
            homes: names.iter().map(|name| (name.clone(), 0)).collect(),
            links,
            slot,
        }
    }

    /// Where a replica's clients reach it.
    pub(crate) fn place(&self, replica: &str) -> Place {
        let (host, ports) = self.home(replica);
        let Ports {
            grpc, rest, health, ..
        } = ports;
        Place {
            host,
            grpc,
            rest,
            health,
        }
    }

    /// Where its peers reach a replica.
    pub(crate) fn peer_address(&self, replica: &str) -> SocketAddrV4 {
        let (host, ports) = self.home(replica);
        SocketAddrV4::new(host, ports.peer)
    }

    /// Where the peers of all replicas are at first.
    pub(crate) fn first_peer_addresses(&self) -> Vec<SocketAddrV4> {
        let first = |number| {
            let (host, ports) = self.home_of(number, 0);
            SocketAddrV4::new(host, ports.peer)
        };
        (0..self.homes.len()).map(first).collect()
    }

    /// The program and arguments that run another program where a replica is.
    pub(crate) fn enter(&self, replica: &str) -> Vec<String> {
        let links = self.links.as_ref();
        links.map_or_else(Vec::new, |links| links.namespaces().enter(replica))
    }

    /// Moves a replica that does not run to another address.
    pub(crate) fn move_away(&mut self, replica: &str) {
        let number = self.number(replica);
        let home = (self.homes[number].1 + 1) % HOMES;
        self.homes[number].1 = home;
        let (host, _) = self.home_of(number, home);
        if let Some(links) = &mut self.links {
            links.readdress(replica, host);
        }
    }

    /// The links between replicas.
    ///
    /// # Panics
    /// If they cannot be cut.
    #[allow(clippy::panic, reason = "a test that cuts links must say so before")]
    pub(crate) fn links(&mut self) -> &mut FaultyLinks {
        let links = self.links.as_mut();
        links.unwrap_or_else(|| panic!("the cluster was started without links that can be cut"))
    }

    /// What every process of the cluster has in its environment.
    pub(crate) fn mark(&self) -> (String, String) {
        self.slot.mark()
    }

    /// An empty folder for a replica's data.
    ///
    /// # Errors
    /// Why it cannot be made.
    pub(crate) fn make_directory(&self, replica: &str) -> io::Result<PathBuf> {
        let directory = self.slot.directory().join(replica);
        fs::create_dir_all(&directory)?;
        Ok(directory)
    }

    /// The folder of all its files.
    pub(crate) fn directory(&self) -> &Path {
        self.slot.directory()
    }

    /// Moves all its files to where they stay, and says where that is.
    ///
    /// # Errors
    /// Why they cannot be moved.
    pub(crate) fn keep_files(&self) -> io::Result<PathBuf> {
        self.slot.keep_files()
    }

    #[allow(clippy::panic, reason = "a test that asks for this is wrong")]
    fn number(&self, replica: &str) -> usize {
        let position = self.homes.iter().position(|(name, _)| name == replica);
        position.unwrap_or_else(|| panic!("no replica is called {replica}"))
    }

    fn home(&self, replica: &str) -> (Ipv4Addr, Ports) {
        let number = self.number(replica);
        self.home_of(number, self.homes[number].1)
    }

    fn home_of(&self, number: usize, home: usize) -> (Ipv4Addr, Ports) {
        if self.links.is_some() {
            return (host_address(&self.slot, number, home), PORTS);
        }
        let mut ports = self.slot.ports().skip((number * HOMES + home) * 4);
        let mut port = || ports.next().unwrap_or_default();
        let ports = Ports {
            grpc: port(),
            rest: port(),
            health: port(),
            peer: port(),
        };
        (Ipv4Addr::LOCALHOST, ports)
    }
}

fn host_address(slot: &Slot, number: usize, home: usize) -> Ipv4Addr {
    let host = usize::from(FIRST_HOST) + number * HOMES + home;
    namespaces::address(slot.number(), u8::try_from(host).unwrap_or(u8::MAX))
}
