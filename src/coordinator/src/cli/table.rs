//! Plain-text tables, without frames or colours: they survive a pipe, a ticket and a screen reader.

use comfy_table::{CellAlignment, Table, presets};

/// How the cells of a column stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Align {
    /// Texts.
    Left,
    /// Numbers.
    Right,
}

/// A table with a header. Every row has as many cells as the header.
pub(crate) fn rows(header: &[(&str, Align)], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = plain();
    table.set_header(header.iter().map(|(title, _)| *title));
    table.add_rows(rows);
    for (column, (_, align)) in table.column_iter_mut().zip(header) {
        column.set_cell_alignment(match align {
            Align::Left => CellAlignment::Left,
            Align::Right => CellAlignment::Right,
        });
    }
    finish(&table)
}

/// Names and their values.
pub(crate) fn facts(facts: impl IntoIterator<Item = (&'static str, String)>) -> String {
    lines(
        facts
            .into_iter()
            .map(|(name, value)| vec![name.to_owned(), value]),
    )
}

/// A table without a header.
pub(crate) fn lines(lines: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = plain();
    table.add_rows(lines);
    finish(&table)
}

fn plain() -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table
}

fn finish(table: &Table) -> String {
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Align, facts, rows};

    #[test]
    fn columns_line_up_and_lines_have_no_tail() {
        let header = [
            ("NODE", Align::Left),
            ("CHUNKS", Align::Right),
            ("ADDRESS", Align::Left),
        ];
        let table = rows(
            &header,
            [
                vec!["node-1".to_owned(), "7".to_owned(), "a:1".to_owned()],
                vec!["n2".to_owned(), "12345678".to_owned(), String::new()],
            ],
        );
        assert_eq!(
            table,
            concat!(
                " NODE      CHUNKS  ADDRESS\n",
                " node-1         7  a:1\n",
                " n2      12345678\n"
            )
        );
    }

    #[test]
    fn an_empty_table_is_its_header() {
        assert_eq!(
            rows(&[("NODE", Align::Left), ("STATUS", Align::Left)], []),
            " NODE  STATUS\n"
        );
    }

    #[test]
    fn long_values_are_neither_cut_nor_wrapped() {
        let long = "x".repeat(500);
        assert_eq!(facts([("Name", long.clone())]), format!(" Name  {long}\n"));
    }
}
