//! One statement that writes to several tables at once: each round trip to the database costs more than the writes in it.

use std::fmt::Write as _;

use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::{Arguments, AssertSqlSafe, Encode, Executor as _, Postgres, Type};

use crate::error::StoreError;

/// Statements that write rows, joined as common table expressions. All of them see the same state, and no two may write to the
/// same row.
#[derive(Default)]
pub(crate) struct Statement {
    sql: String,
    arguments: PgArguments,
    bound: usize,
    parts: usize,
}

impl Statement {
    /// Binds a value and answers its placeholder.
    ///
    /// # Errors
    /// If it cannot be encoded.
    pub(crate) fn bind<'q, T>(&mut self, value: T) -> Result<usize, StoreError>
    where
        T: Encode<'q, Postgres> + Type<Postgres>,
    {
        self.arguments
            .add(value)
            .map_err(|error| StoreError::corrupt(format!("a value cannot be encoded: {error}")))?;
        self.bound += 1;
        Ok(self.bound)
    }

    /// Adds a part. Its text comes from the program alone; what clients sent is bound.
    pub(crate) fn part(&mut self, sql: &str) {
        let lead = if self.parts == 0 { "WITH" } else { "," };
        self.parts += 1;
        // Writing to a string does not fail.
        let _ = write!(self.sql, "{lead} part_{} AS ({sql})", self.parts);
    }

    /// Runs it, if there is anything in it.
    ///
    /// # Errors
    /// The database's.
    pub(crate) async fn run(self, connection: &mut PgConnection) -> Result<(), StoreError> {
        if self.parts > 0 {
            let sql = AssertSqlSafe(self.sql + " SELECT 1");
            connection.execute(sqlx::query_with(sql, self.arguments)).await?;
        }
        Ok(())
    }
}

/// Whether rows that are written were there when they were read.
///
/// It matters under snapshots: an insert of a row that another transaction made meanwhile fails, and so does an update of one
/// that was changed or deleted meanwhile. A statement that does either, whichever fits, would bring a deleted row back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowsAre {
    /// They were not.
    New,
    /// They were.
    Known,
}

/// A table that rows are written to: its columns in the order in which they are bound, the first few being the key.
pub(crate) struct Target {
    pub(crate) table: &'static str,
    pub(crate) keys: usize,
    pub(crate) columns: &'static [Column],
}

/// A column, the type in which its values travel, and what they are cast to.
pub(crate) struct Column(
    pub(crate) &'static str,
    pub(crate) &'static str,
    pub(crate) &'static str,
);

impl Column {
    fn value(&self) -> String {
        format!("new.{}{}", self.0, self.2)
    }

    fn is_new(&self, table: &str) -> String {
        format!("{table}.{name} = new.{name}", name = self.0)
    }
}

impl Target {
    /// Adds to a statement that rows are written of which all columns were bound, one list for each, the last one at `last`.
    pub(crate) fn put(&self, statement: &mut Statement, last: usize, rows_are: RowsAre) {
        let names: Vec<&str> = self.columns.iter().map(|column| column.0).collect();
        let kinds: Vec<_> = self.columns.iter().map(|column| (column.0, column.1)).collect();
        let (table, rows) = (self.table, unnest(last, &kinds));
        let sql = match rows_are {
            RowsAre::New => {
                let values: Vec<String> = self.columns.iter().map(Column::value).collect();
                format!(
                    "INSERT INTO {table} ({}) SELECT {} FROM {rows}",
                    names.join(", "),
                    values.join(", ")
                )
            }
            RowsAre::Known => {
                let (keys, others) = self.columns.split_at(self.keys);
                let set = others
                    .iter()
                    .map(|column| format!("{} = {}", column.0, column.value()));
                let keys: Vec<String> = keys.iter().map(|column| column.is_new(table)).collect();
                format!(
                    "UPDATE {table} SET {} FROM {rows} WHERE {}",
                    set.collect::<Vec<_>>().join(", "),
                    keys.join(" AND ")
                )
            }
        };
        statement.part(&sql);
    }
}

/// A list of texts as PostgreSQL writes it: for lists of lists, which `unnest` would flatten.
pub(crate) fn list_of_texts<'t>(texts: impl Iterator<Item = &'t str>) -> String {
    let mut list = String::from("{");
    for (number, text) in texts.enumerate() {
        list.push_str(if number == 0 { "\"" } else { ",\"" });
        for letter in text.chars() {
            if matches!(letter, '"' | '\\') {
                list.push('\\');
            }
            list.push(letter);
        }
        list.push('"');
    }
    list.push('}');
    list
}

/// The same of numbers.
pub(crate) fn list_of_numbers(numbers: impl Iterator<Item: ToString>) -> String {
    let numbers: Vec<String> = numbers.map(|number| number.to_string()).collect();
    format!("{{{}}}", numbers.join(","))
}

/// `unnest` over columns that were bound one after the other, the last one at `last`, with their types, under the name `new`.
pub(crate) fn unnest(last: usize, columns: &[(&str, &str)]) -> String {
    let first = last + 1 - columns.len();
    let values: Vec<String> = columns
        .iter()
        .zip(first..)
        .map(|((_, kind), at)| format!("${at}::{kind}[]"))
        .collect();
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    format!("unnest({}) AS new({})", values.join(", "), names.join(", "))
}
