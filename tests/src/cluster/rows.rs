//! Whether replicas hold the same rows: each writes a backup, which says how many rows it has, their digest, and the index
//! they are from.

use std::collections::BTreeMap;

use serde_json::json;

use super::replica::TestReplica;
use crate::wait::until_told;

/// The rows of a replica at an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// The applied index.
    pub index: u64,
    /// How many.
    pub count: u64,
    /// Of all of them.
    pub digest: String,
}

async fn rows_of(replica: &TestReplica) -> Result<Rows, String> {
    let path = "/api/v1/admin/database/backup";
    let answer = replica.rest().send("POST", path, Some(&json!({}))).await;
    let answer = answer.map_err(|error| format!("{} makes no backup: {error}", replica.name()))?;
    let read = || {
        Some(Rows {
            index: answer.applied_index?,
            count: answer.body["rows"].as_u64()?,
            digest: answer.body["digest"].as_str().map(str::to_owned)?,
        })
    };
    read().ok_or_else(|| format!("{} makes no backup: {answer:?}", replica.name()))
}

/// Waits until replicas can be compared, which takes that they have applied equally much, and gives the rows of all.
///
/// # Panics
/// If two of them hold different rows at the same index.
#[allow(clippy::panic, reason = "replicas that differ are a failed test")]
pub(super) async fn until_same(replicas: &[TestReplica]) -> Rows {
    let mut seen: BTreeMap<u64, (Rows, String)> = BTreeMap::new();
    until_told("all replicas hold the same rows at the same index", async || {
        let mut indexes = Vec::new();
        for replica in replicas.iter().filter(|replica| replica.is_running()) {
            let rows = rows_of(replica).await?;
            let index = rows.index;
            indexes.push(index);
            let (known, holder) = seen
                .entry(index)
                .or_insert_with(|| (rows.clone(), replica.name().to_owned()));
            if *known != rows {
                panic!("{holder} and {} differ: {known:?} and {rows:?}", replica.name());
            }
        }
        match indexes.as_slice() {
            [] => Err("no replica runs".to_owned()),
            [first, others @ ..] if others.iter().all(|index| index == first) => Ok(seen[first].0.clone()),
            _ => Err(format!("they are at {indexes:?}")),
        }
    })
    .await
}
