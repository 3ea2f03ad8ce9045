//! What operators ask about tasks.

use super::problem::invalid;
use crate::service::error::ServiceError;

/// Checks the word for a task's state; empty means every state.
pub(in crate::service) fn task_state(word: &str) -> Result<(), ServiceError> {
    match word {
        "" | "pending" | "issued" => Ok(()),
        _ => invalid("state", "must be pending or issued"),
    }
}

#[cfg(test)]
mod tests {
    use super::task_state;

    #[test]
    fn a_task_is_pending_or_issued() {
        for word in ["", "pending", "issued"] {
            assert_eq!(task_state(word), Ok(()));
        }
        let error = task_state("done").expect_err("no such state");
        assert_eq!(error.to_string(), "state: must be pending or issued");
    }
}
