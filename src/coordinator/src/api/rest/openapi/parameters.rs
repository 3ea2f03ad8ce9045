//! What every request may bring along.

use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::{Ref, RefOr, Required};

/// Adds the header by which a client says how long it waits.
pub(super) fn add_request_timeout(operation: &mut Operation) {
    let is_stream = operation.operation_id.as_deref() == Some("watch");
    let parameter = ParameterBuilder::new()
        .name("Request-Timeout")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(if is_stream {
            "How long the client listens, such as `1h`: the stream ends a little before. Without it, for as long as the client \
             likes."
        } else {
            "How long the client waits, such as `2s`: the answer comes a little before. At most, and without it, the \
             server's own `limits.request_timeout`."
        }))
        .schema(Some(Ref::from_schema_name("Span")))
        .build();
    operation
        .parameters
        .get_or_insert_default()
        .push(RefOr::T(parameter));
}
