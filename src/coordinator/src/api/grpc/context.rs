//! What travels in a request's metadata.

use std::time::Instant;

use tonic::metadata::MetadataMap;
use tonic::{Request, Status};

use super::middleware::{ClientDeadline, Deadline};
use super::status::status;
use crate::api::freshness::{Named, freshness};
use crate::service::{InvalidField, RequestContext, ServiceError};

/// Takes a request apart: what came beside the message, and the message.
pub(super) fn accept<M>(request: Request<M>) -> Result<(RequestContext, M), Status> {
    let (metadata, extensions, message) = request.into_parts();
    let mut context = context(&metadata).map_err(|field| status(ServiceError::Invalid(field)))?;
    context.deadline = extensions.get::<Deadline>().map(|deadline| deadline.0);
    Ok((context, message))
}

/// Takes a request for a stream apart: when the client itself stops waiting for more, if it does, and the message.
pub(super) fn accept_stream<M>(request: Request<M>) -> (Option<Instant>, M) {
    let (_, extensions, message) = request.into_parts();
    let deadline = extensions.get::<ClientDeadline>();
    (deadline.and_then(|deadline| deadline.0), message)
}

fn context(metadata: &MetadataMap) -> Result<RequestContext, InvalidField> {
    let named = |name| text(metadata, name).map(|value| Named { name, value });
    Ok(RequestContext {
        idempotency_key: text(metadata, "idempotency-key")?.map(str::to_owned),
        freshness: freshness(named("consistency")?, named("at-least")?, named("max-staleness")?)?,
        deadline: None,
    })
}

fn text<'a>(metadata: &'a MetadataMap, name: &str) -> Result<Option<&'a str>, InvalidField> {
    let mut values = metadata.get_all(name).iter();
    let value = values.next();
    if values.next().is_some() {
        return Err(InvalidField::new(name, "must be given once"));
    }
    value
        .map(|value| {
            value
                .to_str()
                .map_err(|_| InvalidField::new(name, "must be printable ASCII"))
        })
        .transpose()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use tonic::metadata::{AsciiMetadataValue, MetadataMap};
    use tonic::{Code, Request};
    use zephyrfs_core::units::AppliedIndex;

    use super::{Deadline, accept, context};
    use crate::service::Consistency;

    #[test]
    fn metadata_becomes_the_context() {
        let mut request = Request::new(5);
        request
            .metadata_mut()
            .insert("idempotency-key", "k-1".parse().unwrap());
        request
            .metadata_mut()
            .insert("consistency", "local".parse().unwrap());
        request.metadata_mut().insert("at-least", "7".parse().unwrap());
        let deadline = Instant::now();
        request.extensions_mut().insert(Deadline(deadline));

        let (context, message) = accept(request).unwrap();
        assert_eq!(message, 5);
        assert_eq!(context.idempotency_key.as_deref(), Some("k-1"));
        assert_eq!(context.freshness.consistency, Consistency::Local);
        assert_eq!(context.freshness.at_least, Some(AppliedIndex::new(7)));
        assert_eq!(context.deadline, Some(deadline));
    }

    #[test]
    fn malformed_metadata_is_named() {
        let mut request = Request::new(());
        request
            .metadata_mut()
            .insert("consistency", "strong".parse().unwrap());
        let status = accept(request).unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert_eq!(
            status.message(),
            "consistency: must be linearizable, leader or local"
        );

        let mut metadata = MetadataMap::new();
        metadata.append("at-least", "7".parse().unwrap());
        metadata.append("at-least", "8".parse().unwrap());
        assert_eq!(
            context(&metadata).unwrap_err().to_string(),
            "at-least: must be given once"
        );

        let mut metadata = MetadataMap::new();
        let bytes = AsciiMetadataValue::try_from(&b"\xff"[..]).unwrap();
        metadata.insert("idempotency-key", bytes);
        assert_eq!(
            context(&metadata).unwrap_err().to_string(),
            "idempotency-key: must be printable ASCII"
        );
    }
}
