//! Errors by operation and code, each with its count and its last message.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

use crate::operation::Operation;

/// How much of a message is kept.
const MESSAGE_LIMIT: usize = 300;

/// What kind of error it was: a gRPC code, or one of the kinds below, by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct ErrorKind(&'static str);

impl ErrorKind {
    /// A reply with `success = false`.
    pub const REFUSED: ErrorKind = ErrorKind("REFUSED");
    /// No reply: the connection could not be made, or broke.
    pub const CONNECTION: ErrorKind = ErrorKind("CONNECTION");
    /// A reply that the contract does not allow.
    pub const BAD_REPLY: ErrorKind = ErrorKind("BAD_REPLY");

    /// The kind that is a gRPC code.
    #[must_use]
    pub fn of_code(code: tonic::Code) -> Self {
        use tonic::Code;
        ErrorKind(match code {
            Code::Ok => "OK",
            Code::Cancelled => "CANCELLED",
            Code::Unknown => "UNKNOWN",
            Code::InvalidArgument => "INVALID_ARGUMENT",
            Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Code::NotFound => "NOT_FOUND",
            Code::AlreadyExists => "ALREADY_EXISTS",
            Code::PermissionDenied => "PERMISSION_DENIED",
            Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Code::FailedPrecondition => "FAILED_PRECONDITION",
            Code::Aborted => "ABORTED",
            Code::OutOfRange => "OUT_OF_RANGE",
            Code::Unimplemented => "UNIMPLEMENTED",
            Code::Internal => "INTERNAL",
            Code::Unavailable => "UNAVAILABLE",
            Code::DataLoss => "DATA_LOSS",
            Code::Unauthenticated => "UNAUTHENTICATED",
        })
    }

    /// The name, as it is reported.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0
    }
}

/// Errors counted by operation and kind; bounded by how many of those there are.
#[derive(Clone, Debug, Default)]
pub struct ErrorTable(BTreeMap<(Operation, ErrorKind), (u64, String)>);

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ErrorLine {
    /// What was called.
    #[serde(serialize_with = "operation_name")]
    pub operation: Operation,
    /// What went wrong.
    pub code: ErrorKind,
    /// How often.
    pub count: u64,
    /// What was said the last time.
    pub last_message: String,
}

fn operation_name<S: Serializer>(operation: &Operation, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(operation.name())
}

impl ErrorTable {
    /// Counts one error.
    pub fn record(&mut self, operation: Operation, kind: ErrorKind, message: &str) {
        let (count, last) = self.0.entry((operation, kind)).or_default();
        *count += 1;
        last.clear();
        last.extend(message.chars().take(MESSAGE_LIMIT));
    }

    /// Adds everything from another table.
    pub fn merge(&mut self, other: &ErrorTable) {
        for (key, (count, message)) in &other.0 {
            let (total, last) = self.0.entry(*key).or_default();
            *total += count;
            last.clone_from(message);
        }
    }

    /// How many errors in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().map(|(count, _)| count).sum()
    }

    /// The lines, by operation and code.
    #[must_use]
    pub fn lines(&self) -> Vec<ErrorLine> {
        let line = |(key, value): (&(Operation, ErrorKind), &(u64, String))| ErrorLine {
            operation: key.0,
            code: key.1,
            count: value.0,
            last_message: value.1.clone(),
        };
        self.0.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{ErrorKind, ErrorTable};
    use crate::operation::Operation;

    #[test]
    fn errors_are_counted_with_their_last_message() {
        let mut table = ErrorTable::default();
        let unavailable = ErrorKind::of_code(tonic::Code::Unavailable);
        table.record(Operation::RegisterFile, unavailable, "first");
        table.record(Operation::RegisterFile, unavailable, &"x".repeat(1000));
        let mut other = ErrorTable::default();
        other.record(Operation::RegisterFile, unavailable, "third");
        other.record(Operation::NodeHeartbeat, ErrorKind::REFUSED, "unknown node");
        table.merge(&other);
        assert_eq!(table.total(), 4);
        let lines = table.lines();
        assert_eq!(lines.len(), 2);
        assert_eq!((lines[1].code.name(), lines[1].count), ("UNAVAILABLE", 3));
        assert_eq!(lines[1].last_message, "third");
    }
}
