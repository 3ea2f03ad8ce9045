//! What a store shows of itself to be tested.

use crate::envelope::Envelope;
use crate::event::Change;
use crate::model::Model;
use crate::rejection::Rejection;
use crate::response::Response;
use crate::row::Row;
use crate::totals::Totals;
use crate::units::AppliedIndex;
use crate::view::{ReadSet, View};

/// A store under test, empty at first.
pub trait Subject {
    /// Applies a command.
    ///
    /// # Errors
    /// The rules' own refusal. A store that fails otherwise panics: that is a failed test.
    fn apply(&mut self, envelope: &Envelope, index: AppliedIndex) -> Result<Response, Rejection>;

    /// Whether the store can hold what a command speaks of. One that it cannot is left out: of text that the service refuses
    /// anyway, no store needs to hold all.
    fn can_hold(&self, _envelope: &Envelope) -> bool {
        true
    }

    /// Every row, in dump order.
    fn rows(&self) -> Vec<Row>;

    /// Counts, as they were kept along with every change.
    fn totals(&self) -> Totals;

    /// What the last command changed; nothing if it was refused.
    fn changes(&self) -> Vec<Change>;

    /// Loads rows as for a decision. A store that says `None` is compared by its answers and rows alone.
    fn view(&self, _reads: &ReadSet) -> Option<View> {
        None
    }
}

impl Subject for Model {
    fn apply(&mut self, envelope: &Envelope, index: AppliedIndex) -> Result<Response, Rejection> {
        Self::apply(self, envelope, index)
    }

    fn rows(&self) -> Vec<Row> {
        Self::rows(self)
    }

    fn totals(&self) -> Totals {
        *Self::totals(self)
    }

    fn changes(&self) -> Vec<Change> {
        Self::changes(self).to_vec()
    }

    fn view(&self, reads: &ReadSet) -> Option<View> {
        Some(Self::view(self, reads))
    }
}
