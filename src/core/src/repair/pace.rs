//! How many copies are under way at once, so that clients hardly notice.
//!
//! Every copy costs the coordinator what a write of a client costs, and more: it is planned, told and confirmed. Nobody can
//! say beforehand how much of that a machine bears beside its clients, so it is found out, in the way in which TCP finds out
//! what a network bears: a window on what is under way grows while answers take about as long as they do when nothing is
//! copied, and shrinks by a share of itself when they take much longer. Growing gently and shrinking by a factor is what
//! settles (Chiu and Jain, 1989); answering time as the sign tells before anything is lost (Brakmo and Peterson's TCP Vegas,
//! 1994).
//!
//! The most urgent copies do not wait for any of this: see [`Workload`](super::Workload).

use std::time::Duration;

use crate::units::{Millis, Timestamp};

/// The window before anything is known: what costs a small machine little when nodes bring their copies at once.
const START: usize = 2_000;

/// Slower than this repair never gets for the sake of clients.
const LEAST: usize = 500;

/// There is no use in more: nodes have limits of their own.
const MOST: usize = 100_000;

/// Answers that take up to so many times as long as usual are a sign of room, and beyond so many times that of too much; in
/// halves. What an answer takes on average grows faster than what clients wait at worst: between 1.75 and 2.5 times the one, a
/// file's registration took 1.95 times as long as without repair (99th percentile, 1,000,000 chunks, all on one small
/// machine), and it is to stay below twice.
const ROOM: u32 = 3;
const TOO_MUCH: u32 = 4;

/// What answers take is uncertain by so much, however fast they are.
const NOISE: Duration = Duration::from_micros(250);

/// A single answer counts for no more than so many times the usual: one that was held up says little.
const OUTLIER: u32 = 10;

/// So many answers at least make a judgement.
const ENOUGH: u32 = 30;

/// A window of which not even this part was ever taken was not what held anything up. Some classes may only take a fifth.
const USED: usize = 5;

/// What was told before the window shrank may be under way for so many times as long as a change takes to show.
const LINGERS: u32 = 4;

/// A window on the tasks that nodes were told of lately.
#[derive(Debug)]
pub struct Pace {
    window: usize,
    /// What an answer takes while nothing is under way, on average.
    usual: Option<Duration>,
    /// The answers since the window was last looked at, and what they took together.
    answers: u32,
    took: Duration,
    /// The most that was under way meanwhile, and what was at last.
    peak: usize,
    under_way: usize,
    since: Timestamp,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            window: START,
            usual: None,
            answers: 0,
            took: Duration::ZERO,
            peak: 0,
            under_way: 0,
            since: Timestamp::EPOCH,
        }
    }
}

impl Pace {
    /// So many tasks of each kind may be under way.
    pub const fn window(&self) -> usize {
        self.window
    }

    /// So many tasks are under way now.
    pub fn under_way(&mut self, tasks: usize) {
        self.under_way = tasks;
        self.peak = self.peak.max(tasks);
    }

    /// The coordinator took so long for an answer that costs it next to nothing.
    pub fn answered(&mut self, took: Duration) {
        let most = self.usual.map_or(Duration::MAX, |usual| {
            usual.saturating_mul(OUTLIER).saturating_add(NOISE)
        });
        self.answers = self.answers.saturating_add(1);
        self.took = self.took.saturating_add(took.min(most));
    }

    /// Fits the window to what answers took, once in a while: `settles_in` is how long it takes until a change shows.
    pub fn adjust(&mut self, now: Timestamp, settles_in: Millis) {
        let elapsed = now.since(self.since);
        if elapsed < settles_in || self.answers < ENOUGH {
            return;
        }
        let is_shrinking = self.under_way > self.window;
        if is_shrinking && elapsed < settles_in.times(LINGERS) {
            return;
        }
        let average = self.took / self.answers;
        let usual = *self.usual.get_or_insert(average);
        if average < usual {
            self.usual = Some((usual + average) / 2);
        } else if self.peak == 0 || self.window == LEAST {
            // Clients change, and with them what is usual. When as little as may be is under way, it is not repair that makes
            // answers slow, or nothing can be done about it.
            self.usual = Some(usual.saturating_mul(3).saturating_add(average) / 4);
        }
        if average > usual.saturating_mul(TOO_MUCH) / 2 + NOISE {
            if self.peak > 0 {
                self.window = (self.window * 7 / 10).max(LEAST);
            }
        } else if average < usual.saturating_mul(ROOM) / 2 + NOISE && self.is_used() {
            self.window = (self.window * 5 / 4).min(MOST);
        }
        *self = Self {
            answers: 0,
            took: Duration::ZERO,
            peak: self.under_way,
            since: now,
            ..*self
        };
    }

    /// Whether the window may have held something up: one that nobody fills says nothing about a larger one.
    const fn is_used(&self) -> bool {
        self.peak > 0 && (self.peak + 1) * USED >= self.window
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::{Strategy, any, prop};
    use proptest::proptest;

    use super::{ENOUGH, LEAST, LINGERS, MOST, Pace, START};
    use crate::units::{Millis, Timestamp};

    const SETTLES_IN: Millis = Millis::from_seconds(10);

    /// Looks so many times, while each answer takes what `answer` says of what is under way.
    fn look(
        pace: &mut Pace,
        times: u64,
        under_way: impl Fn(usize) -> usize,
        answer: impl Fn(usize) -> Duration,
    ) {
        for _ in 0..times {
            let copies = under_way(pace.window());
            pace.under_way(copies);
            for _ in 0..ENOUGH {
                pace.answered(answer(copies));
            }
            // What was told before the window shrank is done by then.
            let now = pace.since.plus(SETTLES_IN.times(LINGERS));
            pace.adjust(now, SETTLES_IN);
            pace.under_way(0);
            pace.peak = 0;
        }
    }

    /// A machine whose answers take a millisecond, and as much more for each `capacity` copies.
    fn machine(capacity: usize) -> impl Fn(usize) -> Duration {
        move |copies| Duration::from_micros(1_000 + (1_000 * copies / capacity) as u64)
    }

    #[test]
    fn the_window_settles_where_the_machine_bears_it() {
        for capacity in [400, 3_000, 20_000] {
            let mut pace = Pace::default();
            look(&mut pace, 5, |_| 0, machine(capacity));
            assert_eq!(pace.window(), START, "nothing was copied");
            look(&mut pace, 100, |window| window, machine(capacity));
            let settled = pace.window();
            assert!(
                settled >= capacity / 2 && settled <= 2 * capacity,
                "{settled} copies on a machine for {capacity}"
            );
        }
    }

    #[test]
    fn a_window_that_is_not_used_stays() {
        let mut pace = Pace::default();
        look(&mut pace, 50, |_| 100, |_| Duration::from_millis(1));
        assert_eq!(pace.window(), START);
    }

    #[test]
    fn repair_goes_on_however_slow_answers_are_and_recovers() {
        let mut pace = Pace::default();
        look(&mut pace, 5, |_| 0, |_| Duration::from_millis(1));
        look(&mut pace, 4, |window| window, |_| Duration::from_secs(1));
        assert_eq!(pace.window(), LEAST);
        look(&mut pace, 20, |window| window, |_| Duration::from_millis(1));
        assert!(pace.window() > START);
    }

    #[test]
    fn a_leader_that_begins_amid_copies_does_not_take_slow_answers_for_usual_for_long() {
        let mut pace = Pace::default();
        look(&mut pace, 1, |_| 50_000, |_| Duration::from_millis(20));
        look(&mut pace, 4, |_| 10, |_| Duration::from_millis(2));
        let before = pace.window();
        look(&mut pace, 1, |window| window, |_| Duration::from_millis(20));
        assert!(pace.window() < before);
    }

    #[test]
    fn what_is_usual_follows_the_clients_while_nothing_is_copied() {
        let mut pace = Pace::default();
        look(&mut pace, 5, |_| 0, |_| Duration::from_millis(1));
        look(&mut pace, 50, |_| 0, |_| Duration::from_millis(10));
        look(&mut pace, 10, |window| window, |_| Duration::from_millis(12));
        assert!(pace.window() > START, "clients made answers slower, not copies");
    }

    #[test]
    fn clients_that_make_answers_slow_do_not_hold_repair_up_for_long() {
        let mut pace = Pace::default();
        look(&mut pace, 5, |_| 0, |_| Duration::from_millis(1));
        let busy = |copies: usize| Duration::from_micros(4_000 + copies as u64 / 20);
        look(&mut pace, 4, |window| window, busy);
        assert_eq!(pace.window(), LEAST, "repair may be to blame");
        look(&mut pace, 30, |window| window, busy);
        assert!(pace.window() > START, "it was not");
    }

    #[test]
    fn work_that_may_take_only_a_part_of_the_window_widens_it() {
        let mut pace = Pace::default();
        look(
            &mut pace,
            50,
            |window| window * 2 / 10,
            |_| Duration::from_millis(1),
        );
        assert_eq!(pace.window(), MOST);
    }

    #[test]
    fn one_answer_that_was_held_up_does_not_count_for_many() {
        let mut pace = Pace::default();
        look(&mut pace, 5, |_| 0, |_| Duration::from_millis(1));
        pace.under_way(START);
        pace.answered(Duration::from_secs(10));
        for _ in 0..ENOUGH {
            pace.answered(Duration::from_millis(1));
        }
        pace.adjust(pace.since.plus(SETTLES_IN), SETTLES_IN);
        assert!(pace.window() > START);
    }

    #[test]
    fn few_answers_and_little_time_say_nothing() {
        let mut pace = Pace::default();
        look(&mut pace, 5, |_| 0, |_| Duration::from_millis(1));
        pace.under_way(START);
        pace.answered(Duration::from_secs(1));
        pace.adjust(pace.since.plus(SETTLES_IN.times(10)), SETTLES_IN);
        assert_eq!(pace.window(), START, "one answer");
        for _ in 0..100 {
            pace.answered(Duration::from_secs(1));
        }
        pace.adjust(pace.since.plus(Millis::new(9_999)), SETTLES_IN);
        assert_eq!(
            pace.window(),
            START,
            "nothing can have come of the last change yet"
        );
        pace.adjust(pace.since.plus(SETTLES_IN), SETTLES_IN);
        let shrunk = pace.window();
        assert!(shrunk < START);
        for _ in 0..100 {
            pace.answered(Duration::from_secs(1));
        }
        pace.adjust(pace.since.plus(SETTLES_IN.times(3)), SETTLES_IN);
        assert_eq!(
            pace.window(),
            shrunk,
            "what was told before it shrank is still under way"
        );
        pace.under_way(shrunk);
        pace.adjust(pace.since.plus(SETTLES_IN.times(3)), SETTLES_IN);
        assert!(pace.window() < shrunk);
    }

    proptest! {
        #[test]
        fn the_window_keeps_its_bounds(
            answers in prop::collection::vec((any::<u64>().prop_map(Duration::from_nanos), 0..200_000_usize), 0..300),
        ) {
            let mut pace = Pace::default();
            for (index, (took, under_way)) in answers.into_iter().enumerate() {
                pace.under_way(under_way);
                for _ in 0..7 {
                    pace.answered(took);
                }
                pace.adjust(Timestamp::from_millis(index as u64 * 900), SETTLES_IN);
                assert!((LEAST..=MOST).contains(&pace.window()));
            }
        }
    }
}
