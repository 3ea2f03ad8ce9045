//! What whoever leads does besides the jobs: events get their places, and old ones are forgotten.

use std::time::{Duration, Instant};

use sqlx::query;

use super::keeper::{Kept, LONGEST_REST};
use super::places::{BATCH, Search, forget, give_places};
use super::presence::FORGOTTEN_SECONDS;
use super::start::PostgresEngine;
use crate::error::StoreError;

/// So often is looked for events to forget, and for so long.
const FORGETTING: Duration = Duration::from_secs(2);
const FORGETTING_TAKES: Duration = Duration::from_millis(200);

/// So often all events without a place are looked for, beside those that were written lately. Well before what nobody looked for
/// is late no more: it is to have its place before what came after it.
const SEARCHING: Duration = Duration::from_secs(60);

/// A look for all of them is given up when it takes longer, or a part of the lease, which nobody renews meanwhile.
const LONGEST_SEARCH: Duration = Duration::from_secs(1);

/// Places are given for so long at once, when there are many events without one.
const PLACING: Duration = Duration::from_secs(1);

impl PostgresEngine {
    /// Does what comes with leading.
    pub(super) async fn work(&self, kept: &mut Kept, epoch: u64) -> Result<(), StoreError> {
        if kept.full.is_some_and(|since| since.elapsed() < LONGEST_REST) {
            return Ok(());
        }
        let placed = self.place(kept, epoch).await;
        if !matches!(placed, Ok(()) | Err(StoreError::Full(_))) {
            return placed;
        }
        // Also where there is no room: what is forgotten makes some.
        if kept.forgot.elapsed() >= FORGETTING {
            kept.forgot = Instant::now();
            let older_than = i64::try_from(self.options.keep_events.as_millis()).unwrap_or(i64::MAX);
            while forget(&mut kept.connection, epoch, older_than).await? {
                if kept.forgot.elapsed() >= FORGETTING_TAKES {
                    break;
                }
            }
            let gone = "DELETE FROM instances WHERE seen_at < clock_timestamp() - $1 * interval '1 second'";
            query(gone)
                .bind(FORGOTTEN_SECONDS)
                .execute(&mut kept.connection)
                .await?;
        }
        placed?;
        kept.full = None;
        Ok(())
    }

    /// Gives places to what has none: of late, and now and then to all.
    async fn place(&self, kept: &mut Kept, epoch: u64) -> Result<(), StoreError> {
        let began = Instant::now();
        let mut search = Search::Lately;
        if self.shared.is_to_search_all(SEARCHING) {
            let within = LONGEST_SEARCH.min(self.options.lease / 4);
            search = Search::All { within };
        }
        loop {
            let placed = match give_places(&mut kept.connection, epoch, search).await {
                Err(StoreError::TooSlow) if search != Search::Lately => {
                    tracing::warn!(
                        "Looking for all changes that nobody was told of takes too long, as it does while some transaction of the \
                         database is very old; those of the last minutes are told, others later"
                    );
                    self.shared.searched_all(Some(began));
                    search = Search::Lately;
                    continue;
                }
                placed => placed?,
            };
            // A part says that there is no more for now.
            if placed < BATCH {
                if search != Search::Lately {
                    self.shared.searched_all(Some(began));
                }
                return Ok(());
            }
            if self.is_to_renew(kept) || began.elapsed() >= PLACING {
                return Ok(());
            }
        }
    }
}
