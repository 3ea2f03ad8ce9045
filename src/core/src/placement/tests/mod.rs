//! Plans compared with the rules spelled out naively, and with what chance should come to.

mod chance;
mod rules;
mod spread;

use super::{Candidate, Domain, Policy};
use crate::units::ByteSize;

const SPREAD: Policy = Policy {
    geographic_spread: true,
};

fn candidate<const N: usize>(id: &str, capacity: u64, used: u64, domain: [(&str, &str); N]) -> Candidate {
    let domain = domain.map(|(level, name)| (level.to_owned(), name.to_owned()));
    Candidate {
        id: id.into(),
        unfit: None,
        domain: Domain::of(&domain.into()),
        capacity: ByteSize::new(capacity),
        used: ByteSize::new(used),
        free: ByteSize::new(capacity.saturating_sub(used)),
        load: 0,
        is_held: false,
    }
}
