//! Which instances there are.

use std::time::{Duration, Instant};

use sqlx::postgres::PgConnection;
use sqlx::query;

use super::keeper::Kept;
use super::start::PostgresEngine;
use super::status::Instance;
use crate::error::StoreError;

/// So often the others are told that this instance is there, and is looked which others are.
const PRESENCE: Duration = Duration::from_secs(1);

/// An instance that was not heard for so long is away, and after so much longer forgotten.
pub(crate) const AWAY_SECONDS: f64 = 5.0;
pub(super) const FORGOTTEN_SECONDS: f64 = 300.0;

/// Another instance of the same name is warned of so often.
const NAMESAKES: Duration = Duration::from_secs(600);

impl PostgresEngine {
    /// Says that this instance is there, once in a while, and looks which others are.
    pub(super) async fn instances(&self, kept: &mut Kept) -> Result<Option<Vec<Instance>>, StoreError> {
        if kept.present.is_some_and(|present| present.elapsed() < PRESENCE) {
            return Ok(None);
        }
        kept.present = Some(Instant::now());
        let (was, is): (Option<String>, String) = sqlx::query_as(
            "INSERT INTO instances (name, address, seen_at) VALUES ($1, $2, clock_timestamp()) \
             ON CONFLICT (name) DO UPDATE SET address = excluded.address, seen_at = excluded.seen_at \
             RETURNING (SELECT seen_at::text FROM instances WHERE name = $1), seen_at::text",
        )
        .bind(&self.options.name)
        .bind(&self.options.client_address)
        .fetch_one(&mut kept.connection)
        .await?;
        let said = kept.said.replace(is);
        if let (Some(was), Some(said)) = (was, said)
            && was != said
            && kept.namesake.is_none_or(|warned| warned.elapsed() >= NAMESAKES)
        {
            kept.namesake = Some(Instant::now());
            tracing::warn!(
                name = self.options.name,
                "Another instance on this database has the same name, and the two are taken for one: give each its own, with \
                 REPLICA_NAME"
            );
        }
        let rows: Vec<(String, String, bool)> = sqlx::query_as(
            "SELECT name, address, seen_at > clock_timestamp() - $1 * interval '1 second' FROM instances \
             WHERE seen_at > clock_timestamp() - $2 * interval '1 second' ORDER BY name",
        )
        .bind(AWAY_SECONDS)
        .bind(FORGOTTEN_SECONDS)
        .fetch_all(&mut kept.connection)
        .await?;
        let instance = |(name, address, is_heard)| Instance {
            name,
            address,
            is_heard,
        };
        Ok(Some(rows.into_iter().map(instance).collect()))
    }

    /// Tells the others that this instance is no more.
    pub(super) async fn leave(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        query("DELETE FROM instances WHERE name = $1")
            .bind(&self.options.name)
            .execute(connection)
            .await?;
        Ok(())
    }
}
