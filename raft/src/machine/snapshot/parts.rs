//! Sending: the rows of a view, part by part, no faster than they are taken.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::channel::mpsc;
use futures::{SinkExt, Stream};

use super::part::{Digest, Part, Position, SnapshotId};
use super::rows::{RowsWriter, seal_end};
use crate::error::StoreError;
use crate::kv::{Base, Table};
use crate::workers::Workers;

/// So many parts wait to be taken, and one more is in the worker's hands.
pub(super) const PARTS_WAITING: usize = 4;

/// The parts of a snapshot in order, the last of them an end. Whoever drops this has enough: the worker stops.
pub(crate) struct Parts(mpsc::Receiver<Result<Part, StoreError>>);

impl Parts {
    /// Starts a worker that reads what follows on a place.
    pub(super) fn read(
        base: Arc<Base>,
        id: SnapshotId,
        after: Option<Position>,
        workers: &dyn Workers,
    ) -> Result<Self, StoreError> {
        // One who sends into a channel has room for one in addition.
        let (mut send, receive) = mpsc::channel(PARTS_WAITING - 1);
        let mut reader = Reader::new(base, id, after);
        let work = async move {
            while let Some(part) = reader.next().transpose() {
                let failed = part.is_err();
                if send.send(part).await.is_err() || failed {
                    return;
                }
            }
        };
        workers
            .start("snapshot", Box::pin(work))
            .map_err(|source| StoreError::File {
                doing: "start reading",
                path: "the state for a snapshot".to_owned(),
                source,
            })?;
        Ok(Self(receive))
    }
}

impl Stream for Parts {
    type Item = Result<Part, StoreError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.0).poll_next(context)
    }
}

/// Reads parts. Each begins with a search for its first key, which costs nothing beside a part, and nothing is open between
/// two of them.
struct Reader {
    base: Arc<Base>,
    /// The table that is read, and after which key; `None` behind the end.
    next: Option<(Table, Option<Vec<u8>>)>,
    digest: Digest,
}

impl Reader {
    fn new(base: Arc<Base>, id: SnapshotId, after: Option<Position>) -> Self {
        let (next, digest) = match after {
            None => ((Table::ALL[0], None), id.digest()),
            Some(Position { table, key, digest }) => ((table, Some(key)), digest),
        };
        Self {
            base,
            next: Some(next),
            digest,
        }
    }

    fn next(&mut self) -> Result<Option<Part>, StoreError> {
        while let Some((table, after)) = self.next.take() {
            let mut rows = RowsWriter::new(table);
            self.base
                .visit_after(table, after.as_deref(), |key, value| rows.push(key, value))?;
            if let Some((part, last)) = rows.seal(self.digest) {
                self.next = Some((table, Some(last.key)));
                self.digest = last.digest;
                return Ok(Some(part));
            }
            self.next = Table::from_number(table as u8 + 1).map(|table| (table, None));
            if self.next.is_none() {
                let rows = Table::ALL.into_iter().map(|table| self.base.rows(table));
                let rows = rows.sum::<Result<u64, StoreError>>()?;
                return Ok(Some(seal_end(rows, self.digest)));
            }
        }
        Ok(None)
    }
}
