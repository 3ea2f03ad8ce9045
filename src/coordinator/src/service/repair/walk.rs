//! Going over everything, a part at a time, with rests in between.

use std::time::{Duration, Instant};

/// How far a walk has come.
#[derive(Debug)]
pub(super) struct Walk<C> {
    cursor: Option<C>,
    /// Since when the walk rests at its end.
    rests_since: Option<Instant>,
    /// Whether something was left for the next pass.
    left_something: bool,
    /// The state of the nodes when the pass began: if it has changed since, another pass is due at once.
    registry_version: u64,
}

impl<C> Default for Walk<C> {
    fn default() -> Self {
        Self {
            cursor: None,
            rests_since: None,
            left_something: false,
            registry_version: 0,
        }
    }
}

impl<C: Clone> Walk<C> {
    /// Whether it is time to go on. At the end of a pass the walk rests for so long; a tenth of it if something was left, and
    /// not at all if nodes have changed.
    pub(super) fn is_due(&mut self, rest: Duration, registry_version: u64, now: Instant) -> bool {
        let Some(since) = self.rests_since else {
            return true;
        };
        let rest = if self.left_something { rest / 10 } else { rest };
        let rested = now.saturating_duration_since(since) >= rest;
        if rested || self.registry_version != registry_version {
            self.rests_since = None;
            self.left_something = false;
            self.registry_version = registry_version;
            return true;
        }
        false
    }

    /// Where to go on; `None` is the beginning. It stays so until [`Self::went_to`] says that the part was done.
    pub(super) fn cursor(&self) -> Option<C> {
        self.cursor.clone()
    }

    /// Something could not be done now and is to be looked at again soon.
    pub(super) const fn leave_something(&mut self) {
        self.left_something = true;
    }

    /// A part is done. Tells whether there is more.
    pub(super) fn went_to(&mut self, next: Option<C>, now: Instant) -> bool {
        if next.is_none() {
            self.rests_since = Some(now);
        }
        self.cursor = next;
        self.cursor.is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::Walk;

    const REST: Duration = Duration::from_secs(30);

    #[test]
    fn a_walk_rests_at_its_end_unless_nodes_change_or_something_is_left() {
        let now = Instant::now();
        let mut walk = Walk::default();
        assert!(walk.is_due(REST, 1, now));
        assert!(walk.went_to(Some(5), now));
        assert!(walk.is_due(REST, 1, now), "it is not at its end");
        assert_eq!(walk.cursor(), Some(5));
        assert_eq!(walk.cursor(), Some(5), "that part was not done");
        assert!(!walk.went_to(None, now));
        // The first pass began before anything was known of the nodes.
        assert!(walk.is_due(REST, 1, now));
        assert!(!walk.went_to(None, now));
        assert!(!walk.is_due(REST, 1, now));
        assert!(walk.is_due(REST, 2, now), "a node came");
        walk.leave_something();
        walk.went_to(None, now);
        assert!(!walk.is_due(REST, 2, now));
        assert!(walk.is_due(REST, 2, now + REST / 10), "something was left");
        walk.went_to(None, now);
        assert!(!walk.is_due(REST, 2, now + REST / 10));
        assert!(walk.is_due(REST, 2, now + REST));
    }
}
