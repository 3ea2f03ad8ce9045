//! Going over everything, a part at a time, with rests in between.

use std::time::{Duration, Instant};

use zephyrfs_core::units::Timestamp;

/// How far a walk has come.
#[derive(Debug)]
pub(super) struct Walk<C> {
    cursor: Option<C>,
    /// Since when the walk rests at its end.
    rests_since: Option<Instant>,
    /// Whether something was left for the next pass.
    left_something: bool,
    /// When there will be something to do that there is not yet.
    due_at: Option<Timestamp>,
    /// Whether this pass was called for by something that happened.
    is_hasty: bool,
    /// The state of the nodes when the pass began: if it has changed since, another pass is due at once.
    registry_version: u64,
}

impl<C> Default for Walk<C> {
    fn default() -> Self {
        Self {
            cursor: None,
            rests_since: None,
            left_something: false,
            due_at: None,
            is_hasty: true,
            registry_version: 0,
        }
    }
}

impl<C: Clone> Walk<C> {
    /// Whether it is time to go on. At the end of a pass the walk rests for so long; a tenth of it if something was left, and
    /// not at all if nodes have changed or something has become due. `now` is by this process's clock and by the engine's.
    pub(super) fn is_due(
        &mut self,
        rest: Duration,
        registry_version: u64,
        (instant, now): (Instant, Timestamp),
    ) -> bool {
        let is_called =
            self.registry_version != registry_version || self.due_at.is_some_and(|due| due <= now);
        let Some(since) = self.rests_since else {
            // What happened while the pass is under way is seen by the next one, which this one must make way for.
            self.is_hasty |= is_called;
            return true;
        };
        let rest = if self.left_something { rest / 10 } else { rest };
        let rested = instant.saturating_duration_since(since) >= rest;
        if rested || is_called {
            *self = Self {
                registry_version,
                is_hasty: is_called,
                ..Self::default()
            };
            return true;
        }
        false
    }

    /// Whether something happened that calls for haste.
    pub(super) const fn is_hasty(&self) -> bool {
        self.is_hasty
    }

    /// Where to go on; `None` is the beginning. It stays so until [`Self::went_to`] says that the part was done.
    pub(super) fn cursor(&self) -> Option<C> {
        self.cursor.clone()
    }

    /// What a part came to: whether something could not be done now and is to be looked at again soon, and when there will
    /// be something to do that there is not yet.
    pub(super) fn found(&mut self, left_something: bool, due_at: Option<Timestamp>) {
        self.left_something |= left_something;
        self.due_at = Timestamp::earlier(self.due_at, due_at);
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

    use zephyrfs_core::units::Timestamp;

    use super::Walk;

    const NEVER: Timestamp = Timestamp::EPOCH;
    const REST: Duration = Duration::from_secs(30);

    #[test]
    fn a_walk_rests_at_its_end_unless_nodes_change_or_something_is_left() {
        let now = Instant::now();
        let mut walk = Walk::default();
        assert!(walk.is_due(REST, 1, (now, NEVER)));
        assert!(walk.went_to(Some(5), now));
        assert!(walk.is_due(REST, 1, (now, NEVER)), "it is not at its end");
        assert_eq!(walk.cursor(), Some(5));
        assert_eq!(walk.cursor(), Some(5), "that part was not done");
        assert!(!walk.went_to(None, now));
        // The first pass began before anything was known of the nodes.
        assert!(walk.is_due(REST, 1, (now, NEVER)));
        assert!(!walk.went_to(None, now));
        assert!(!walk.is_due(REST, 1, (now, NEVER)));
        assert!(walk.is_due(REST, 2, (now, NEVER)), "a node came");
        walk.found(true, None);
        walk.went_to(None, now);
        assert!(!walk.is_due(REST, 2, (now, NEVER)));
        assert!(
            walk.is_due(REST, 2, (now + REST / 10, NEVER)),
            "something was left"
        );
        walk.went_to(None, now);
        assert!(!walk.is_due(REST, 2, (now + REST / 10, NEVER)));
        assert!(walk.is_due(REST, 2, (now + REST, NEVER)));
    }
}
