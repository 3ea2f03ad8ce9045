//! From the service's answers and errors to gRPC replies and statuses.

use std::sync::Arc;

use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Response, Status};
use zephyrfs_core::units::AppliedIndex;

use crate::api::error::verdict;
use crate::service::{At, ServiceError};

/// The metadata that says at which index of the log a write took effect, or a read was answered.
pub(super) const APPLIED_INDEX: &str = "applied-index";

/// The metadata that says from which index on a watch can go on.
const OLDEST_INDEX: &str = "oldest-index";

/// A reply message that an answer of the service can become.
pub(super) trait FromAnswer<T>: Sized {
    /// The reply to a request that was done.
    fn done(answer: T) -> Self;

    /// The reply to a request that was refused for a reason of the business; `None` for messages that cannot
    /// say so.
    fn refused(message: String) -> Option<Self>;
}

/// What a handler gives back.
pub(super) type Reply<M> = Result<Response<M>, Status>;

/// The reply to a request.
pub(super) fn reply<T, M: FromAnswer<T>>(result: Result<At<T>, ServiceError>) -> Reply<M> {
    match result {
        Ok(At { index, value }) => Ok(with_index(M::done(value), Some(index))),
        Err(error) => {
            let refused = if verdict(&error).is_outcome {
                M::refused(error.to_string())
            } else {
                None
            };
            match refused {
                Some(message) => Ok(with_index(message, error.applied_index())),
                None => Err(status(error)),
            }
        }
    }
}

/// The status that an error is.
///
/// The error goes along as the status' source: that is how `middleware::malformed` tells it from a status
/// that the transport made of a request that never got here.
pub(super) fn status(error: ServiceError) -> Status {
    let mut status = Status::new(verdict(&error).grpc, error.to_string());
    if let Some(index) = error.applied_index() {
        put_index(status.metadata_mut(), index);
    }
    if let ServiceError::TooOld { oldest, .. } = error {
        let oldest = MetadataValue::from(oldest.get());
        status.metadata_mut().insert(OLDEST_INDEX, oldest);
    }
    status.set_source(Arc::new(error));
    status
}

/// A reply that is of the state at an index, if that is known.
pub(super) fn with_index<M>(message: M, index: Option<AppliedIndex>) -> Response<M> {
    let mut response = Response::new(message);
    if let Some(index) = index {
        put_index(response.metadata_mut(), index);
    }
    response
}

fn put_index(metadata: &mut MetadataMap, index: AppliedIndex) {
    metadata.insert(APPLIED_INDEX, MetadataValue::from(index.get()));
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use tonic::Code;
    use zephyrfs_core::Rejection;
    use zephyrfs_core::id::{FileId, NodeId};
    use zephyrfs_core::units::AppliedIndex;
    use zephyrfs_proto::coordinator::{DeleteFileResponse, ListFilesResponse};

    use super::{APPLIED_INDEX, reply};
    use crate::service::{At, FileSummary, InvalidField, ListPage, ServiceError};

    fn rejected(rejection: Rejection) -> ServiceError {
        ServiceError::Rejected {
            rejection,
            index: AppliedIndex::new(9),
        }
    }

    fn no_such_file() -> ServiceError {
        rejected(Rejection::FileNotFound {
            file: FileId::from("f"),
        })
    }

    #[test]
    fn what_was_done_carries_the_index() {
        let done = At {
            index: AppliedIndex::new(8),
            value: (),
        };
        let response = reply::<(), DeleteFileResponse>(Ok(done)).unwrap();
        assert!(response.get_ref().success);
        assert_eq!(response.metadata().get(APPLIED_INDEX).unwrap(), "8");
    }

    #[test]
    fn an_outcome_is_a_normal_reply_with_the_index() {
        let response = reply::<(), DeleteFileResponse>(Err(no_such_file())).unwrap();
        assert!(!response.get_ref().success);
        assert_eq!(response.get_ref().message, "file f is not registered");
        assert_eq!(response.metadata().get(APPLIED_INDEX).unwrap(), "9");
    }

    #[test]
    fn an_outcome_that_the_message_cannot_say_is_a_status() {
        let status = reply::<ListPage<FileSummary>, ListFilesResponse>(Err(no_such_file())).unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
        assert_eq!(status.metadata().get(APPLIED_INDEX).unwrap(), "9");
    }

    #[test]
    fn a_failure_is_a_status_that_remembers_its_error() {
        let error = ServiceError::Invalid(InvalidField::new("file_id", "must not be empty"));
        let status = reply::<(), DeleteFileResponse>(Err(error.clone())).unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(status.message(), "file_id: must not be empty");
        assert!(status.metadata().get(APPLIED_INDEX).is_none());
        assert_eq!(status.source().unwrap().downcast_ref(), Some(&error));

        let reused = rejected(Rejection::IdempotencyKeyReused { key: "k".to_owned() });
        let status = reply::<(), DeleteFileResponse>(Err(reused)).unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(status.metadata().get(APPLIED_INDEX).unwrap(), "9");
        let removed = rejected(Rejection::NodeRemoved {
            node: NodeId::from("n"),
        });
        assert!(reply::<(), DeleteFileResponse>(Err(removed)).is_ok());
    }
}
