//! Histories of what clients asked and were answered, and the judgement whether one single register for each key could
//! have given these answers: linearizability.
//!
//! Two judges that share nothing but the history: [`check_order`] believes the indexes that answers carry and looks at
//! the whole history at once; [`search`] believes no index and looks for an order of each key's operations. A history
//! passes when both accept it.

mod order;
mod recorder;
mod search;
#[cfg(test)]
mod tests;

pub use order::{Contradiction, Ordered, check_order};
pub use recorder::{Operation, Recorder, Started};
pub use search::{MOST_OPERATIONS, NoOrder, search};

/// What was written: unique in a history, so that a read tells which write it saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Value(pub u64);

/// What an operation did to its register, or saw there, as far as the client was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// A write was acknowledged.
    Wrote(Value),
    /// A deletion was acknowledged: there was something.
    Deleted,
    /// A deletion found nothing.
    FoundNothing,
    /// A linearizable read saw this; `None` is nothing.
    Read(Option<Value>),
    /// A read of a replica's own state saw this: true at the index it says, which may be long past.
    Looked(Option<Value>),
    /// No answer: written once, at any time since, or never.
    MayHaveWritten(Value),
    /// No answer: deleted once, at any time since, or never.
    MayHaveDeleted,
}

impl Effect {
    /// Whether the client was answered.
    pub const fn is_answered(self) -> bool {
        match self {
            Self::Wrote(_) | Self::Deleted | Self::FoundNothing | Self::Read(_) | Self::Looked(_) => true,
            Self::MayHaveWritten(_) | Self::MayHaveDeleted => false,
        }
    }

    /// Whether it needed a place of its own in the order of all commands.
    pub const fn is_command(self) -> bool {
        match self {
            Self::Wrote(_) | Self::Deleted | Self::FoundNothing => true,
            Self::Read(_) | Self::Looked(_) | Self::MayHaveWritten(_) | Self::MayHaveDeleted => false,
        }
    }
}

/// Where an answer says that its operation took effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// At this index.
    At(u64),
    /// At this index or before: the answer may be to a repetition.
    UpTo(u64),
    /// There was no answer to say so.
    Unknown,
}

impl Place {
    /// The state that the answer came from.
    pub const fn index(self) -> Option<u64> {
        match self {
            Self::At(index) | Self::UpTo(index) => Some(index),
            Self::Unknown => None,
        }
    }
}
