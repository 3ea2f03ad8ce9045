//! Medians, side by side, with what is aimed at in brackets.

use std::fmt;

use zephyrfs_fleet::report::table;

use crate::load::Measured;
use crate::outage::Outage;
use crate::plan::{Loss, Row};

/// Everything that was measured: one entry for each repetition.
#[derive(Clone, Debug)]
pub(crate) struct Results {
    pub(crate) loads: Vec<(Row, Pair<Measured>)>,
    pub(crate) losses: Vec<(Loss, Pair<Outage>)>,
}

/// What was measured of both.
#[derive(Clone, Debug)]
pub(crate) struct Pair<T> {
    pub(crate) ours: Vec<T>,
    pub(crate) etcd: Vec<T>,
}

impl<T> Default for Pair<T> {
    fn default() -> Self {
        Pair {
            ours: vec![],
            etcd: vec![],
        }
    }
}

impl<T> Pair<T> {
    fn median(&self, number: impl Fn(&T) -> f64) -> (f64, f64) {
        let of = |all: &[T]| median(all.iter().map(&number).collect());
        (of(&self.ours), of(&self.etcd))
    }

    fn worst(&self, number: impl Fn(&T) -> f64) -> (f64, f64) {
        let of = |all: &[T]| all.iter().map(&number).fold(0.0, f64::max);
        (of(&self.ours), of(&self.etcd))
    }
}

impl fmt::Display for Results {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.loads.iter().any(|(_, pair)| !pair.ours.is_empty()) {
            let header = [
                "Ours / etcd (aim)",
                "per second",
                "",
                "p50 ms",
                "",
                "p99 ms",
                "",
                "server CPU us",
                "",
            ];
            let rows: Vec<_> = self.loads.iter().map(|(row, pair)| load_row(row, pair)).collect();
            writeln!(formatter, "{}", table::numbers(&header, &rows))?;
        }
        if self.losses.iter().any(|(_, pair)| !pair.ours.is_empty()) {
            let header = [
                "The leader lost by",
                "gap ms",
                "",
                "worst ms",
                "",
                "failed writes",
            ];
            let rows: Vec<_> = self
                .losses
                .iter()
                .map(|(loss, pair)| loss_row(loss, pair))
                .collect();
            writeln!(formatter, "{}", table::numbers(&header, &rows))?;
        }
        self.remarks()
            .iter()
            .try_for_each(|remark| writeln!(formatter, "{remark}"))
    }
}

impl Results {
    /// What a reader of the numbers has to know: errors and elections that were not asked for.
    fn remarks(&self) -> Vec<String> {
        let mut remarks = vec![];
        for (row, pair) in &self.loads {
            for (system, all) in [("ours", &pair.ours), ("etcd", &pair.etcd)] {
                let errors: u64 = all.iter().map(|measured| measured.errors).sum();
                let elections: u64 = all.iter().map(|measured| measured.elections).sum();
                let name = row.name.trim_start();
                if let Some(last) = all.iter().rev().find_map(|measured| measured.last_error.as_ref()) {
                    remarks.push(format!("{name}, {system}: {errors} errors, the last: {last}"));
                }
                if elections > 0 {
                    remarks.push(format!("{name}, {system}: {elections} elections under load"));
                }
            }
        }
        for (loss, pair) in &self.losses {
            for (system, all) in [("ours", &pair.ours), ("etcd", &pair.etcd)] {
                if let Some(last) = all.iter().rev().find_map(|outage| outage.last_error.as_ref()) {
                    remarks.push(format!("{}, {system}: a write failed with {last}", loss.name));
                }
            }
        }
        remarks
    }
}

fn load_row(row: &Row, pair: &Pair<Measured>) -> Vec<String> {
    let aims = row.aims;
    let rate = pair.median(|measured| measured.per_second);
    let p50 = pair.median(|measured| measured.p50_ms);
    let p99 = pair.median(|measured| measured.p99_ms);
    let cpu = pair.median(|measured| measured.cpu_micros);
    let cpu_aim = aims.cpu_micros.map(|micros| format!(" ({micros:.0} us)"));
    vec![
        row.name.to_owned(),
        beside(rate, 0),
        ratio(rate, aims.rate, 'x'),
        beside(p50, 2),
        ratio(p50, aims.p50, 'x'),
        beside(p99, 1),
        ratio(p99, aims.p99, 'x'),
        beside(cpu, 0),
        ratio(cpu, None, 'x') + &cpu_aim.unwrap_or_default(),
    ]
}

fn loss_row(loss: &Loss, pair: &Pair<Outage>) -> Vec<String> {
    let millis = |outage: &Outage| outage.gap.as_secs_f64() * 1e3;
    let gap = pair.median(millis);
    let (ours, etcd) = pair.median(|outage| outage.failed as f64);
    let aim = loss
        .failed
        .map(|failed| format!(" ({failed})"))
        .unwrap_or_default();
    vec![
        loss.name.to_owned(),
        beside(gap, 0),
        ratio(gap, loss.gap, 'x'),
        beside(pair.worst(millis), 0),
        String::new(),
        format!("{ours:.0}{aim} / {etcd:.0}"),
    ]
}

fn beside((ours, etcd): (f64, f64), digits: usize) -> String {
    format!("{ours:.digits$} / {etcd:.digits$}")
}

fn ratio((ours, etcd): (f64, f64), aim: Option<f64>, unit: char) -> String {
    let aim = aim.map(|aim| format!(" ({aim}{unit})")).unwrap_or_default();
    if etcd > 0.0 {
        format!("{:.2}{unit}{aim}", ours / etcd)
    } else {
        format!("-{aim}")
    }
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    let middle = numbers.len() / 2;
    match numbers.as_slice() {
        [] => 0.0,
        odd if odd.len() % 2 == 1 => odd[middle],
        even => f64::midpoint(even[middle - 1], even[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::{median, ratio};

    #[test]
    fn a_median_is_the_middle_or_between_the_two() {
        assert_eq!(median(vec![]), 0.0);
        assert_eq!(median(vec![9.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 9.0, 2.0]), 3.0);
    }

    #[test]
    fn a_ratio_shows_the_aim_and_needs_something_to_divide_by() {
        assert_eq!(ratio((30.0, 10.0), Some(2.5), 'x'), "3.00x (2.5x)");
        assert_eq!(ratio((30.0, 0.0), None, 'x'), "-");
    }
}
