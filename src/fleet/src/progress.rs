//! Shows how a run goes, on stderr: a few live lines on a terminal, else one plain line every ten seconds.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tokio_util::sync::CancellationToken;

/// How often the live lines change.
const LIVE_INTERVAL: Duration = Duration::from_millis(500);
/// How often a plain line is written.
const PLAIN_INTERVAL: Duration = Duration::from_secs(10);

/// One thing to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it is about.
    pub label: &'static str,
    /// How it stands.
    pub text: String,
}

/// A count's growth since it was last looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Speed {
    last: u64,
}

impl Speed {
    /// How much `count` grew per second, `elapsed` after the last look.
    pub fn per_second(&mut self, count: u64, elapsed: Duration) -> f64 {
        let grown = count.saturating_sub(self.last);
        self.last = count;
        grown as f64 / elapsed.as_secs_f64().max(0.001)
    }
}

/// Shows `lines` until `stop`; they are told how long ago they were last asked.
pub async fn show(stop: CancellationToken, lines: impl FnMut(Duration) -> Vec<Line> + Send) {
    if std::io::stderr().is_terminal() {
        show_live(&stop, lines).await;
    } else {
        show_plain(&stop, lines).await;
    }
}

async fn show_live(stop: &CancellationToken, mut lines: impl FnMut(Duration) -> Vec<Line> + Send) {
    let display = MultiProgress::new();
    let style = ProgressStyle::with_template("{prefix:>10.bold} {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    let mut bars: Vec<ProgressBar> = Vec::new();
    let mut last = tokio::time::Instant::now();
    while pause(stop, LIVE_INTERVAL).await {
        let elapsed = last.elapsed();
        last = tokio::time::Instant::now();
        let lines = lines(elapsed);
        while bars.len() < lines.len() {
            bars.push(display.add(ProgressBar::new_spinner().with_style(style.clone())));
        }
        for (bar, Line { label, text }) in bars.iter().zip(lines) {
            bar.set_prefix(label);
            bar.set_message(text);
        }
    }
    for bar in bars {
        bar.finish_and_clear();
    }
}

async fn show_plain(stop: &CancellationToken, mut lines: impl FnMut(Duration) -> Vec<Line> + Send) {
    let mut last = tokio::time::Instant::now();
    while pause(stop, PLAIN_INTERVAL).await {
        let elapsed = last.elapsed();
        last = tokio::time::Instant::now();
        let parts: Vec<_> = lines(elapsed)
            .iter()
            .map(|line| format!("{}: {}", line.label, line.text))
            .collect();
        if writeln!(std::io::stderr(), "{}", parts.join("; ")).is_err() {
            // Nobody reads: the run goes on without.
            return;
        }
    }
}

/// False when it is time to stop.
async fn pause(stop: &CancellationToken, interval: Duration) -> bool {
    tokio::select! {
        () = stop.cancelled() => false,
        () = tokio::time::sleep(interval) => true,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Speed;

    #[test]
    fn speed_is_growth_per_second() {
        let mut speed = Speed::default();
        assert_eq!(speed.per_second(20, Duration::from_secs(10)), 2.0);
        assert_eq!(speed.per_second(25, Duration::from_millis(500)), 10.0);
        assert_eq!(speed.per_second(25, Duration::from_millis(500)), 0.0);
    }
}
