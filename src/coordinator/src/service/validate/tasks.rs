//! What operators ask about tasks.

use super::problem::invalid;
use crate::service::error::ServiceError;

/// How far a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::service) enum TaskState {
    /// Its node was not told yet.
    Pending,
    /// Its node was told.
    Issued,
}

impl TaskState {
    /// The word that operators see.
    pub(in crate::service) const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Issued => "issued",
        }
    }
}

/// Checks the word for a task's state; empty means every state.
pub(in crate::service) fn task_state(word: &str) -> Result<Option<TaskState>, ServiceError> {
    match word {
        "" => Ok(None),
        "pending" => Ok(Some(TaskState::Pending)),
        "issued" => Ok(Some(TaskState::Issued)),
        _ => invalid("state", "must be pending or issued"),
    }
}

#[cfg(test)]
mod tests {
    use super::{TaskState, task_state};

    #[test]
    fn a_task_is_pending_or_issued() {
        assert_eq!(task_state(""), Ok(None));
        for state in [TaskState::Pending, TaskState::Issued] {
            assert_eq!(task_state(state.as_str()), Ok(Some(state)));
        }
        let error = task_state("done").expect_err("no such state");
        assert_eq!(error.to_string(), "state: must be pending or issued");
    }
}
