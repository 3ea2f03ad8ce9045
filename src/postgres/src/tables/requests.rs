//! Remembered answers.

use sqlx::Row;
use sqlx::postgres::PgRow;
use zephyrfs_core::row::{Fingerprint, RequestRow};

use crate::columns::{Time, decode, encode};
use crate::error::StoreError;
use crate::statement::Statement;

/// The columns of a remembered answer.
pub(crate) const COLUMNS: &str = "request_key, fingerprint, response, expires_at";

/// A remembered answer from its columns.
pub(crate) fn read(row: &PgRow) -> Result<(String, RequestRow), StoreError> {
    let fingerprint: &[u8] = row.try_get("fingerprint")?;
    let fingerprint = fingerprint
        .try_into()
        .map_err(|_| StoreError::corrupt("the fingerprint of a request has not 32 bytes"))?;
    let request = RequestRow {
        fingerprint: Fingerprint::from_bytes(fingerprint),
        response: decode("a remembered answer", row.try_get("response")?)?,
        expires_at: row.try_get::<Time, _>("expires_at")?.0,
    };
    Ok((row.try_get("request_key")?, request))
}

/// Adds to a statement that an answer is remembered. A key that another transaction took meanwhile is a conflict.
pub(crate) fn insert(statement: &mut Statement, key: &str, row: &RequestRow) -> Result<(), StoreError> {
    let [key, fingerprint, response, expires] = bind(statement, key, row)?;
    statement.part(&format!(
        "INSERT INTO requests ({COLUMNS}) VALUES (${key}, ${fingerprint}, ${response}, ${expires})"
    ));
    Ok(())
}

/// Adds to a statement that another answer is remembered for a key.
pub(crate) fn update(statement: &mut Statement, key: &str, row: &RequestRow) -> Result<(), StoreError> {
    let [key, fingerprint, response, expires] = bind(statement, key, row)?;
    statement.part(&format!(
        "UPDATE requests SET fingerprint = ${fingerprint}, response = ${response}, expires_at = ${expires} \
         WHERE request_key = ${key}"
    ));
    Ok(())
}

fn bind(statement: &mut Statement, key: &str, row: &RequestRow) -> Result<[usize; 4], StoreError> {
    Ok([
        statement.bind(key)?,
        statement.bind(row.fingerprint.as_bytes().as_slice())?,
        statement.bind(encode(&row.response)?)?,
        statement.bind(Time(row.expires_at))?,
    ])
}

/// Adds to a statement that answers are forgotten.
pub(crate) fn delete(statement: &mut Statement, keys: &[&str]) -> Result<(), StoreError> {
    if keys.is_empty() {
        return Ok(());
    }
    let at = statement.bind(keys)?;
    statement.part(&format!("DELETE FROM requests WHERE request_key = ANY(${at})"));
    Ok(())
}
