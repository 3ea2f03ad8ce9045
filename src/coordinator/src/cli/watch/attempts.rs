//! How long is waited between attempts, and what is told of them.

use std::time::Duration;

/// Before the second attempt.
const FIRST: Duration = Duration::from_millis(200);

/// At most.
const LONGEST: Duration = Duration::from_secs(5);

/// Attempts in a row of which none got any further.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    last: Option<Failed>,
}

#[derive(Debug)]
struct Failed {
    problem: String,
    pause: Duration,
}

impl Attempts {
    /// One failed: how long to wait, each time twice as long up to some seconds, and whether the problem is another than
    /// before.
    pub(super) fn failed(&mut self, problem: &str) -> (Duration, bool) {
        let pause = self
            .last
            .as_ref()
            .map_or(FIRST, |last| (last.pause * 2).min(LONGEST));
        let is_news = self.last.as_ref().is_none_or(|last| last.problem != problem);
        self.last = Some(Failed {
            problem: problem.to_owned(),
            pause,
        });
        (pause, is_news)
    }
}

#[cfg(test)]
mod tests {
    use super::Attempts;

    #[test]
    fn pauses_grow_and_a_problem_is_told_once() {
        let mut attempts = Attempts::default();
        let problems = ["a", "a", "b", "b", "a", "a", "a"];
        let (pauses, news): (Vec<u128>, Vec<bool>) = problems
            .iter()
            .map(|problem| attempts.failed(problem))
            .map(|(pause, is_news)| (pause.as_millis(), is_news))
            .unzip();
        assert_eq!(pauses, [200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
        assert_eq!(news, [true, false, true, false, true, false, false]);
    }
}
