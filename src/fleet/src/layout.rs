//! Who the nodes are: their ids, failure domains, addresses and capacities, from a few numbers and a seed.
//!
//! Pure: the same layout gives the same nodes, so a fleet can be restarted under its old ids.

use std::collections::HashMap;

use bytesize::ByteSize;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use zephyrfs_proto::coordinator::RegisterNodeRequest;

use crate::address::{AddressTemplate, Position, default_address};

/// A node's place in the fleet, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeIndex(pub usize);

/// What the nodes are made from.
#[derive(Clone, Debug)]
pub struct Layout {
    /// How many nodes.
    pub nodes: usize,
    /// What ids begin with: `fleet` gives `fleet-0001`.
    pub name_prefix: String,
    /// How many zones; nodes are dealt out to them in turn.
    pub zones: usize,
    /// How many racks in each zone.
    pub racks: usize,
    /// How addresses look; `None` gives private IPv4 addresses.
    pub address_template: Option<AddressTemplate>,
    /// A node's capacity; with a spread, the middle of the range.
    pub capacity: ByteSize,
    /// 0: all alike; 0.5: from half to one and a half of the capacity.
    pub capacity_spread: f64,
    /// Fixes the capacities when there is a spread.
    pub seed: u64,
}

/// What a node tells the coordinator about itself when it registers.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeProfile {
    /// The id it keeps.
    pub id: String,
    /// The zone's name, `zone-1`.
    pub zone: String,
    /// The rack's name, unique over all zones.
    pub rack: String,
    /// Where it says it can be reached.
    pub address: String,
    /// How much it can store.
    pub capacity: ByteSize,
}

impl NodeProfile {
    /// The request that registers the node.
    #[must_use]
    pub fn registration(&self) -> RegisterNodeRequest {
        let domains = [("zone", &self.zone), ("rack", &self.rack), ("host", &self.id)];
        RegisterNodeRequest {
            node_id: self.id.clone(),
            addresses: vec![self.address.clone()],
            storage_capacity: i64::try_from(self.capacity.as_u64()).unwrap_or(i64::MAX),
            capabilities: HashMap::from(domains.map(|(key, value)| (key.to_owned(), value.clone()))),
        }
    }
}

impl Layout {
    /// The nodes, in order of their ids.
    #[must_use]
    pub fn profiles(&self) -> Vec<NodeProfile> {
        let mut rng = SmallRng::seed_from_u64(self.seed);
        (0..self.nodes)
            .map(|index| self.profile(index, &mut rng))
            .collect()
    }

    fn profile(&self, index: usize, rng: &mut SmallRng) -> NodeProfile {
        let number = index + 1;
        let zone = index % self.zones + 1;
        let rack = index / self.zones % self.racks + 1;
        let host = index / (self.zones * self.racks) + 1;
        let id = format!("{}-{number:04}", self.name_prefix);
        let position = Position {
            id: &id,
            zone,
            rack,
            host,
            racks: self.racks,
            number,
        };
        let address = match &self.address_template {
            Some(template) => template.address(position),
            None => default_address(position),
        };
        NodeProfile {
            address,
            zone: format!("zone-{zone}"),
            // With the zone in its name, a rack is never taken for one of the same number elsewhere.
            rack: format!("zone-{zone}-rack-{rack}"),
            capacity: self.capacity(rng),
            id,
        }
    }

    fn capacity(&self, rng: &mut SmallRng) -> ByteSize {
        if self.capacity_spread <= 0.0 {
            return self.capacity;
        }
        let factor = rng.random_range(1.0 - self.capacity_spread..=1.0 + self.capacity_spread);
        ByteSize::b((self.capacity.as_u64() as f64 * factor) as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use bytesize::ByteSize;

    use super::Layout;

    fn layout(nodes: usize) -> Layout {
        Layout {
            nodes,
            name_prefix: "fleet".to_owned(),
            zones: 3,
            racks: 4,
            address_template: None,
            capacity: ByteSize::gib(100),
            capacity_spread: 0.0,
            seed: 7,
        }
    }

    #[test]
    fn nodes_are_dealt_evenly_over_zones_and_racks() {
        let profiles = layout(24).profiles();
        assert_eq!(profiles[0].id, "fleet-0001");
        for zone in ["zone-1", "zone-2", "zone-3"] {
            assert_eq!(profiles.iter().filter(|profile| profile.zone == zone).count(), 8);
        }
        let racks: HashSet<_> = profiles.iter().map(|profile| &profile.rack).collect();
        assert_eq!(racks.len(), 12);
    }

    #[test]
    fn ten_thousand_nodes_have_addresses_of_their_own() {
        let profiles = layout(10_000).profiles();
        let addresses: HashSet<_> = profiles.iter().map(|profile| &profile.address).collect();
        assert_eq!(addresses.len(), profiles.len());
        for address in addresses {
            address.parse::<std::net::SocketAddrV4>().unwrap();
        }
    }

    #[test]
    fn capacities_vary_within_the_spread_and_the_seed_fixes_them() {
        let spread = Layout {
            capacity_spread: 0.5,
            ..layout(100)
        };
        let profiles = spread.profiles();
        assert_eq!(profiles, spread.profiles());
        assert_ne!(profiles, Layout { seed: 8, ..spread }.profiles());
        let smallest = profiles.iter().map(|profile| profile.capacity).min().unwrap();
        let largest = profiles.iter().map(|profile| profile.capacity).max().unwrap();
        assert!(smallest >= ByteSize::gib(50) && largest <= ByteSize::gib(150));
        assert!(largest.as_u64() - smallest.as_u64() > ByteSize::gib(50).as_u64());
    }

    #[test]
    fn a_registration_names_the_failure_domains() {
        let request = layout(1).profiles()[0].registration();
        assert_eq!(request.storage_capacity, 100 << 30);
        assert_eq!(request.addresses, ["10.1.1.1:7000"]);
        let expected = [
            ("zone", "zone-1"),
            ("rack", "zone-1-rack-1"),
            ("host", "fleet-0001"),
        ];
        assert_eq!(request.capabilities.len(), expected.len());
        for (key, value) in expected {
            assert_eq!(request.capabilities[key], value);
        }
    }
}
