//! How steadily a node is heard, so that one that comes and goes is trusted less each time.

use serde::{Deserialize, Serialize};

use crate::units::{Millis, Timestamp};

/// A node that was heard for so many times the span after which it is silent is steady: earlier returns are forgotten.
const STEADY: u32 = 10;

/// A node is held down for so many times that span at most.
const LONGEST_HOLD: u32 = 64;

/// How steadily a node is heard.
///
/// The hold doubles with each return, as route flap damping does it (RFC 2439), but without its decaying penalty: what is
/// kept is a count, and a steady stretch clears it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// When it was last heard from after a silence, or registered.
    pub since: Timestamp,
    /// How many times in a row it came back and had not been steady before.
    pub returns: u32,
    /// Until when it is held down: nothing is entrusted to it that another node could take.
    pub held_until: Timestamp,
    /// When the silence before that began.
    pub last_silence: Timestamp,
}

impl Contact {
    /// Of a node that registers at `now`, having never been heard.
    pub const fn beginning(now: Timestamp) -> Self {
        Self {
            since: now,
            returns: 0,
            held_until: Timestamp::EPOCH,
            last_silence: Timestamp::EPOCH,
        }
    }

    /// Of a node that is heard again at `now` after it was silent since a time. The first return costs nothing: a reboot
    /// is no flapping.
    #[must_use]
    pub fn after_silence(self, silent_since: Timestamp, now: Timestamp, inactive_after: Millis) -> Self {
        let was_steady = silent_since.since(self.since) >= inactive_after.times(STEADY);
        let returns = if was_steady {
            1
        } else {
            self.returns.saturating_add(1)
        };
        let hold = match returns {
            0 | 1 => Millis::new(0),
            more => inactive_after.times(2_u32.saturating_pow(more - 2).min(LONGEST_HOLD)),
        };
        Self {
            since: now,
            returns,
            held_until: now.plus(hold),
            last_silence: silent_since,
        }
    }

    /// Since when a node counts as silent that is found so at `now`. If it is still held down after its last return, that
    /// was none: what waits for the node to come back goes on waiting, and does not begin anew.
    pub fn silent_since(&self, now: Timestamp) -> Timestamp {
        if self.is_held(now) { self.last_silence } else { now }
    }

    /// Whether the node is held down at a time.
    pub fn is_held(&self, now: Timestamp) -> bool {
        now < self.held_until
    }
}

#[cfg(test)]
mod tests {
    use super::Contact;
    use crate::units::{Millis, Timestamp};

    const INACTIVE_AFTER: Millis = Millis::from_seconds(60);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::EPOCH.plus(Millis::from_seconds(seconds))
    }

    #[test]
    fn a_node_that_comes_and_goes_is_held_down_longer_each_time_and_not_for_ever() {
        let mut contact = Contact::beginning(at(0));
        let mut now = 0;
        let mut holds = Vec::new();
        for _ in 0..10 {
            let silent = now + 100;
            now = silent + 30;
            contact = contact.after_silence(at(silent), at(now), INACTIVE_AFTER);
            holds.push(contact.held_until.since(at(now)).get() / 60_000);
        }
        assert_eq!(holds, [0, 1, 2, 4, 8, 16, 32, 64, 64, 64]);
    }

    #[test]
    fn a_return_that_does_not_outlast_its_hold_is_none() {
        let steady = Contact::beginning(at(0)).after_silence(at(10), at(20), INACTIVE_AFTER);
        assert_eq!(steady.silent_since(at(30)), at(30));
        let held = steady.after_silence(at(30), at(40), INACTIVE_AFTER);
        assert_eq!(held.silent_since(at(99)), at(30));
        assert_eq!(held.silent_since(at(100)), at(100));
    }

    #[test]
    fn a_steady_stretch_is_a_new_beginning() {
        let flapping = Contact {
            since: at(0),
            returns: 7,
            held_until: at(100),
            last_silence: at(0),
        };
        assert!(flapping.is_held(at(99)) && !flapping.is_held(at(100)));
        let almost = flapping.after_silence(at(599), at(700), INACTIVE_AFTER);
        assert_eq!(almost.returns, 8);
        let steady = flapping.after_silence(at(600), at(700), INACTIVE_AFTER);
        assert_eq!((steady.returns, steady.is_held(at(700))), (1, false));
    }
}
