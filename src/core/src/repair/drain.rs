//! How far a drain is, and whether it can end at all.

use crate::placement::{Candidate, Purpose};
use crate::row::Drain;
use crate::row::Usage;
use crate::units::{ByteSize, Millis, Timestamp};

/// How far a drain is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// How much is done, in permille of what there was.
    pub done_permille: u64,
    /// What is left.
    pub left: Usage,
    /// How long the rest takes at the pace so far; `None` while nothing has moved.
    pub eta: Option<Millis>,
}

/// How far a drain is, going by what still lies on its node.
pub fn progress(drain: &Drain, left: Usage, now: Timestamp) -> Progress {
    // Copies that were on their way when it began may have come since.
    let all = drain.copies.max(left.copies);
    let moved = all - left.copies;
    let elapsed = u128::from(now.since(drain.since).get());
    let eta = match (left.copies, moved) {
        (0, _) => Some(Millis::new(0)),
        (_, 0) => None,
        (left, moved) => {
            let millis = elapsed * u128::from(left) / u128::from(moved);
            Some(Millis::new(u64::try_from(millis).unwrap_or(u64::MAX)))
        }
    };
    Progress {
        done_permille: (moved * 1_000).checked_div(all).unwrap_or(1_000),
        left,
        eta,
    }
}

/// What the other nodes lack to take over what lies on one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Shortfall {
    /// There is nobody to take anything.
    #[error("no other node is in service")]
    Alone,
    /// A chunk's copies are on nodes of their own, and there would be too few.
    #[error(
        "{needed} copies of each chunk are wanted, each on a node of its own, and {left} would be left in service"
    )]
    Nodes {
        /// Nodes that would be left in service.
        left: usize,
        /// Copies wanted.
        needed: usize,
    },
    /// They have too little space.
    #[error("the other nodes have room for {free}, and {needed} must go there: {} are missing", needed.minus(*free))]
    Space {
        /// The space that they have before they are too full.
        free: ByteSize,
        /// What must go there.
        needed: ByteSize,
    },
}

/// Whether the other nodes can take over what lies on a node. `others` are all nodes but this one; `leaving` is what lies
/// on those of them that are draining, too.
///
/// # Errors
/// What they lack.
pub fn check_room<'a>(
    usage: Usage,
    others: impl IntoIterator<Item = &'a Candidate>,
    leaving: ByteSize,
    wanted: usize,
) -> Result<(), Shortfall> {
    if usage.is_empty() {
        return Ok(());
    }
    let (mut left, mut free) = (0, ByteSize::ZERO);
    for candidate in others.into_iter().filter(|other| other.unfit.is_none()) {
        left += 1;
        free = free.plus(candidate.room_for(Purpose::Repair));
    }
    let needed = usage.bytes.plus(leaving);
    if left == 0 {
        return Err(Shortfall::Alone);
    }
    if left < wanted {
        return Err(Shortfall::Nodes { left, needed: wanted });
    }
    if free < needed {
        return Err(Shortfall::Space { free, needed });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Progress, Shortfall, check_room, progress};
    use crate::placement::{Candidate, Domain, Exclusion};
    use crate::row::Usage;
    use crate::row::{AfterDrain, Drain};
    use crate::units::{ByteSize, Millis, Timestamp};

    fn usage(copies: u64) -> Usage {
        Usage {
            copies,
            bytes: ByteSize::new(copies * 100),
        }
    }

    fn progress_with(left: u64) -> Progress {
        let drain = Drain::beginning(Timestamp::from_millis(1_000), usage(200), AfterDrain::Stay);
        progress(&drain, usage(left), Timestamp::from_millis(11_000))
    }

    #[test]
    fn progress_is_what_has_moved_of_what_there_was() {
        assert_eq!(progress_with(200).done_permille, 0);
        assert_eq!(progress_with(200).eta, None, "nothing has moved yet");
        let half = progress_with(100);
        assert_eq!((half.done_permille, half.eta), (500, Some(Millis::new(10_000))));
        assert_eq!(progress_with(50).eta, Some(Millis::new(3_333)));
        let done = progress_with(0);
        assert_eq!((done.done_permille, done.eta), (1_000, Some(Millis::new(0))));
        assert_eq!(progress_with(300).done_permille, 0, "more came than there was");
    }

    #[test]
    fn an_empty_node_is_done_when_it_begins() {
        let drain = Drain::beginning(Timestamp::EPOCH, usage(0), AfterDrain::Stay);
        assert_eq!(progress(&drain, usage(0), Timestamp::EPOCH).done_permille, 1_000);
    }

    fn node(id: &str, capacity: u64, used: u64) -> Candidate {
        Candidate {
            id: id.into(),
            unfit: None,
            domain: Domain::default(),
            capacity: ByteSize::new(capacity),
            used: ByteSize::new(used),
            free: ByteSize::new(capacity - used),
            load: 0,
            is_held: false,
        }
    }

    #[test]
    fn the_rest_must_have_the_space_and_the_nodes() {
        let others = [node("a", 1_000, 0), node("b", 1_000, 900), node("c", 1_000, 0)];
        let room = 950 + 50 + 950;
        assert_eq!(check_room(usage(room / 100), &others, ByteSize::ZERO, 3), Ok(()));
        let none = ByteSize::new(51);
        let short = Shortfall::Space {
            free: ByteSize::new(room),
            needed: ByteSize::new(1_951),
        };
        assert_eq!(check_room(usage(19), &others, none, 3), Err(short));
        let nodes = Shortfall::Nodes { left: 3, needed: 4 };
        assert_eq!(check_room(usage(1), &others, ByteSize::ZERO, 4), Err(nodes));
        let told =
            "4 copies of each chunk are wanted, each on a node of its own, and 3 would be left in service";
        assert_eq!(nodes.to_string(), told);
        assert_eq!(
            check_room(usage(0), &others, none, 4),
            Ok(()),
            "there is nothing to move"
        );
    }

    #[test]
    fn without_any_other_node_it_does_not_matter_how_many_are_wanted() {
        let closed = Candidate {
            unfit: Some(Exclusion::Draining),
            ..node("a", 1_000, 0)
        };
        for wanted in [1, 3] {
            let refused = check_room(usage(1), [&closed], ByteSize::ZERO, wanted);
            assert_eq!(refused, Err(Shortfall::Alone), "{wanted}");
        }
        assert_eq!(Shortfall::Alone.to_string(), "no other node is in service");
    }
}
