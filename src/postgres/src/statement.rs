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
