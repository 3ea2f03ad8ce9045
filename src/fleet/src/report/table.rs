//! Plain-text tables.

use comfy_table::{CellAlignment, Table, presets};

use crate::measure::errors::ErrorLine;
use crate::measure::latency::LatencySummary;

/// A table without frames; the first column is text, the others are numbers.
#[must_use]
pub fn numbers(header: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = plain(header, rows);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    finish(&table)
}

/// Names and their values.
#[must_use]
pub fn facts(rows: &[(&str, String)]) -> String {
    let rows: Vec<_> = rows
        .iter()
        .map(|(name, value)| vec![(*name).to_owned(), value.clone()])
        .collect();
    finish(&plain(&[], &rows))
}

/// Errors by operation and code; nothing when there are none.
#[must_use]
pub fn errors(errors: &[ErrorLine]) -> String {
    if errors.is_empty() {
        return String::new();
    }
    let row = |line: &ErrorLine| {
        let ErrorLine {
            operation,
            code,
            count,
            last_message,
        } = line;
        vec![
            operation.to_string(),
            code.name().to_owned(),
            count.to_string(),
            last_message.clone(),
        ]
    };
    let rows: Vec<_> = errors.iter().map(row).collect();
    finish(&plain(&["Error", "Code", "Count", "Last message"], &rows))
}

/// A latency's cells: median, 90 %, 95 %, 99 % and longest, in milliseconds.
#[must_use]
pub fn latency_cells(latency: &LatencySummary) -> Vec<String> {
    let LatencySummary {
        count: _,
        p50_ms,
        p90_ms,
        p95_ms,
        p99_ms,
        max_ms,
    } = *latency;
    [p50_ms, p90_ms, p95_ms, p99_ms, max_ms]
        .map(|value| format!("{value:.2} ms"))
        .to_vec()
}

fn plain(header: &[&str], rows: &[Vec<String>]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    if !header.is_empty() {
        table.set_header(header);
    }
    table.add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

fn finish(table: &Table) -> String {
    let lines: Vec<_> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n") + "\n"
}
