//! What happened lately to one thing, out of the changes that the engine still has.

use std::collections::VecDeque;
use std::time::Duration;

use zephyrfs_core::engine::{Events, EventsError};
use zephyrfs_core::units::AppliedIndex;

use super::details::{ChangeDetails, Watched};
use super::filter::Filter;
use super::refused;
use crate::service::error::ServiceError;
use crate::service::state::Service;

/// Changes of so many indexes are looked through at most.
const LOOKED_BACK: u64 = 100_000;

/// So many changes are asked for at a time.
const BATCH: usize = 1_000;

/// So many are given, the last ones.
const GIVEN: usize = 20;

/// What happened lately.
pub(in crate::service) struct Recent {
    /// The last changes, the oldest first.
    pub(in crate::service) changes: Vec<ChangeDetails>,
    /// What changed after this index was looked through.
    pub(in crate::service) after: AppliedIndex,
}

impl Service {
    /// The last changes of these kinds that name an id, out of those that are not forgotten.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub(in crate::service) async fn recent_changes(
        &self,
        kinds: &[&str],
        id: &str,
    ) -> Result<Recent, ServiceError> {
        let kinds: Vec<String> = kinds.iter().map(|kind| (*kind).to_owned()).collect();
        let filter = Filter::new(&self.limits, &kinds, vec![id.to_owned()])?;
        let end = self.engine.totals().index;
        let mut from = AppliedIndex::new(end.get().saturating_sub(LOOKED_BACK));
        let mut after = from;
        let mut last = VecDeque::new();
        while after < end {
            let Events { groups, through } = match self.engine.events(after, BATCH, Duration::ZERO).await {
                Ok(events) => events,
                Err(EventsError::TooOld { oldest }) => {
                    // What was found before is older than what is known without a gap.
                    last.clear();
                    (from, after) = (oldest, oldest);
                    continue;
                }
                Err(error @ EventsError::Engine(_)) => return Err(refused(after, error)),
            };
            for group in &groups {
                let wanted = group.changes.iter().filter(|change| filter.passes(change));
                last.extend(wanted.filter_map(|change| Watched::change(group, change, true).details));
                while last.len() > GIVEN {
                    last.pop_front();
                }
            }
            if through == after {
                break;
            }
            after = through;
            tokio::task::yield_now().await;
        }
        Ok(Recent {
            changes: last.into_iter().map(|details| *details).collect(),
            after: from,
        })
    }
}
