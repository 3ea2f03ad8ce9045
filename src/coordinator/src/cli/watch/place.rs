//! Where a watch goes on after it was interrupted.

/// How far a watch came.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Everything up to this index was shown; `None` before anything is known.
    pub(super) after: Option<u64>,
    /// The index that was shown in part, and how many of its events were.
    part: Option<(u64, usize)>,
    /// How many of its events have come since the watch went on.
    again: usize,
}

impl Place {
    /// After an index, or from now on.
    pub(super) fn new(after: Option<u64>) -> Self {
        Self {
            after,
            ..Self::default()
        }
    }

    /// Whether anything was shown, or is known to have been, since another place.
    pub(super) fn is_beyond(&self, before: &Self) -> bool {
        (self.after, self.part) != (before.after, before.part)
    }

    /// The watch goes on, and may begin in the middle of what was shown.
    pub(super) const fn go_on(&mut self) {
        self.again = 0;
    }

    /// An event of an index comes; whether it is new. All replicas tell of an index in the same order.
    pub(super) fn is_new(&mut self, index: u64) -> bool {
        let shown = match self.part {
            Some((part, shown)) if part == index => shown,
            Some(_) | None => 0,
        };
        if self.part.is_none_or(|(part, _)| part != index) {
            self.again = 0;
        }
        self.again += 1;
        let is_new = self.again > shown;
        self.part = Some((index, shown.max(self.again)));
        is_new
    }

    /// Everything up to an index was shown.
    pub(super) fn reached(&mut self, after: u64) {
        self.after = Some(after);
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn what_was_shown_of_an_index_is_not_shown_again() {
        let mut place = Place::new(Some(4));
        assert!(place.is_new(5) && place.is_new(5));
        place.go_on();
        let new: Vec<bool> = (0..4).map(|_| place.is_new(5)).collect();
        assert_eq!(new, [false, false, true, true]);
        assert!(place.is_new(6) && place.is_new(6));
        place.go_on();
        place.go_on();
        let new: Vec<bool> = (0..3).map(|_| place.is_new(6)).collect();
        assert_eq!(new, [false, false, true]);
        assert!(place.is_new(7));
    }

    #[test]
    fn a_place_is_beyond_another_once_something_was_shown() {
        let mut place = Place::new(Some(4));
        let before = place.clone();
        place.reached(4);
        place.go_on();
        assert!(!place.is_beyond(&before));
        place.is_new(5);
        assert!(place.is_beyond(&before));
        let before = place.clone();
        place.go_on();
        place.is_new(5);
        assert!(!place.is_beyond(&before), "that was shown before");
        place.reached(5);
        assert!(place.is_beyond(&before));
    }
}
