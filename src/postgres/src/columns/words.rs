//! Enumerations as words.

use zephyrfs_core::row::{AfterDrain, ReplicaState, TaskKind, TaskReason};

use crate::error::StoreError;

/// Something of which there are a few, each with a word. Stored rows depend on the words.
pub(crate) trait Word: Copy + PartialEq + 'static {
    /// Each with its word.
    const WORDS: &'static [(Self, &'static str)];

    /// What it is, for errors.
    const WHAT: &'static str;

    /// Its word.
    fn word(self) -> &'static str {
        let found = Self::WORDS.iter().find(|(value, _)| *value == self);
        // A test sees to it that each has one.
        found.map_or("", |(_, word)| word)
    }

    /// From its word.
    ///
    /// # Errors
    /// If no value has this word, or only a newer version knows it.
    fn from_word(word: &str) -> Result<Self, StoreError> {
        let found = Self::WORDS.iter().find(|(_, known)| *known == word);
        found.map(|(value, _)| *value).ok_or_else(|| {
            StoreError::corrupt(format!(
                "{} is {word:?}, which this version does not know",
                Self::WHAT
            ))
        })
    }
}

impl Word for ReplicaState {
    const WHAT: &'static str = "the state of a copy";
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::Assigned, "assigned"),
        (Self::Stored, "stored"),
        (Self::Deleting, "deleting"),
    ];
}

impl Word for TaskKind {
    const WHAT: &'static str = "the kind of a task";
    const WORDS: &'static [(Self, &'static str)] =
        &[(Self::Replicate, "replicate"), (Self::Delete, "delete")];
}

impl Word for TaskReason {
    const WHAT: &'static str = "the reason of a task";
    const WORDS: &'static [(Self, &'static str)] = &[
        (Self::LastCopy, "last_copy"),
        (Self::FewCopies, "few_copies"),
        (Self::UnderTarget, "under_target"),
        (Self::Draining, "draining"),
        (Self::Unreferenced, "unreferenced"),
        (Self::Replaced, "replaced"),
        (Self::Unconfirmed, "unconfirmed"),
        (Self::Misplaced, "misplaced"),
        (Self::Surplus, "surplus"),
        (Self::Rebalance, "rebalance"),
    ];
}

impl Word for AfterDrain {
    const WHAT: &'static str = "what follows a drain";
    const WORDS: &'static [(Self, &'static str)] = &[(Self::Stay, "stay"), (Self::Remove, "remove")];
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use zephyrfs_core::row::{AfterDrain, ReplicaState, TaskKind, TaskReason};

    use super::Word;

    fn come_back<W: Word + Debug>() {
        for (value, word) in W::WORDS {
            assert_eq!(value.word(), *word);
            assert_eq!(W::from_word(word).unwrap(), *value);
        }
        assert!(W::from_word("nothing like it").is_err());
    }

    #[test]
    fn words_come_back() {
        come_back::<ReplicaState>();
        come_back::<TaskKind>();
        come_back::<TaskReason>();
        come_back::<AfterDrain>();
    }
}
