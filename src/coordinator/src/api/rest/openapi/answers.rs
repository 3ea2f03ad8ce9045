//! What all routes that reach the service may answer besides their own answers.

use std::collections::BTreeMap;

use utoipa::openapi::header::Header;
use utoipa::openapi::path::{HttpMethod, Operation};
use utoipa::openapi::{Content, HeaderBuilder, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder, Type};

/// The only answer without a body.
const HEAD_TOO_LARGE: &str = "431";

/// A failure that routes share.
struct SharedFailure {
    status: &'static str,
    description: &'static str,
    applies: fn(&HttpMethod, &Operation) -> bool,
}

const SHARED_FAILURES: [SharedFailure; 11] = [
    SharedFailure {
        status: "400",
        description: "Malformed: the details name the field or parameter",
        applies: |_, _| true,
    },
    SharedFailure {
        status: "408",
        description: "The body did not arrive in time",
        applies: |_, operation| operation.request_body.is_some(),
    },
    SharedFailure {
        status: "413",
        description: "Over a limit: the details name it",
        applies: |_, _| true,
    },
    SharedFailure {
        status: "414",
        description: "Path and query are too long",
        applies: |_, _| true,
    },
    SharedFailure {
        status: "415",
        description: "The body is not declared as JSON",
        applies: |_, operation| operation.request_body.is_some(),
    },
    SharedFailure {
        status: "422",
        description: "The idempotency key was used for another request",
        applies: |_, operation| takes_idempotency_key(operation),
    },
    SharedFailure {
        status: HEAD_TOO_LARGE,
        description: "The head of the request is too large; the answer has no body",
        applies: |_, _| true,
    },
    SharedFailure {
        status: "500",
        description: "The coordinator failed; its log says why",
        applies: |_, _| true,
    },
    SharedFailure {
        status: "503",
        description: "Nothing happened, and the same request may be sent again",
        applies: |_, _| true,
    },
    SharedFailure {
        status: "504",
        description: "The time ran out; the details say whether the outcome is known",
        applies: |_, _| true,
    },
    SharedFailure {
        status: "409",
        description: "Contradicts what is stored, or the request was overtaken",
        applies: |method, operation| !matches!(method, HttpMethod::Get) && takes_idempotency_key(operation),
    },
];

/// Adds the failures that routes share, where the route does not describe them itself.
pub(super) fn add_failures(method: &HttpMethod, operation: &mut Operation) {
    for failure in SHARED_FAILURES {
        if (failure.applies)(method, operation) {
            operation
                .responses
                .responses
                .entry(failure.status.to_owned())
                .or_insert_with(|| RefOr::T(error_response(&failure)));
        }
    }
}

fn error_response(failure: &SharedFailure) -> Response {
    let response = ResponseBuilder::new().description(failure.description);
    if failure.status == HEAD_TOO_LARGE {
        // Found before there is a request that could be answered.
        return response.build();
    }
    response
        .content(
            "application/json",
            Content::new(Some(Ref::from_schema_name("Error"))),
        )
        .build()
}

/// Adds the headers that every answer may carry.
pub(super) fn add_headers(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        if status == HEAD_TOO_LARGE {
            continue;
        }
        if let RefOr::T(response) = response {
            response.headers = BTreeMap::from([
                ("X-Applied-Index".to_owned(), applied_index().into()),
                ("X-Leader".to_owned(), leader().into()),
            ]);
        }
    }
}

fn applied_index() -> Header {
    let schema = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
    HeaderBuilder::new()
        .schema(Some(schema))
        .description(Some(
            "The index at which a write took effect or a read was answered",
        ))
        .build()
}

fn leader() -> Header {
    HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .description(Some(
            "Where clients reach the leader's gRPC API; left out while that is not known",
        ))
        .build()
}

fn takes_idempotency_key(operation: &Operation) -> bool {
    let parameters = operation.parameters.as_deref().unwrap_or_default();
    parameters
        .iter()
        .any(|parameter| matches!(parameter, RefOr::T(parameter) if parameter.name == "Idempotency-Key"))
}
