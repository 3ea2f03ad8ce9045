//! The API's own description: collected from the handlers, completed here with what all of them share, and
//! served.

mod answers;
mod links;
mod parameters;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Request;
use axum::http::{StatusCode, Uri, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use utoipa::OpenApi as _;
use utoipa::openapi::path::{HttpMethod, Operation, PathItem};
use utoipa::openapi::{Components, OpenApi};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::dto;
use super::fallback::unknown_route;
use crate::service::Limits;

/// Where the description is served.
const DESCRIPTION: &str = "/api/openapi.json";

/// The same, below the prefix of the API.
const DESCRIPTION_BELOW_PREFIX: &str = "/api/v1/openapi.json";

/// Where the page to browse it is served.
const PAGE: &str = "/docs";

/// The prefix of the routes that reach the service.
const PREFIX: &str = "/api/v1/";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "ZephyrFS Coordinator",
        description = "Storage nodes register and report here; clients register files, and are told where their chunks go.\n\n\
            Every answer that has one carries `X-Applied-Index`: the index at which a write took effect or a read was \
            answered. Handed back as `at_least`, it makes a later read on any replica see the same.\n\n\
            Any replica takes any request: what only the leader can do is passed on to it, and nobody is redirected. \
            `X-Leader` says where the leader's gRPC API is.",
        license(name = "MIT", identifier = "MIT"),
    ),
    components(schemas(dto::ChunkMetadata, dto::WatchEvent, dto::WatchError)),
    servers((url = "/", description = "The replica that serves this description")),
    tags(
        (name = "service", description = "Who answers here"),
        (name = "nodes", description = "Storage nodes"),
        (name = "files", description = "Files"),
        (name = "chunks", description = "Chunks and their copies"),
        (name = "tasks", description = "What nodes are to do"),
        (name = "changes", description = "What changes, as it changes"),
        (name = "repair", description = "What keeps copies whole"),
        (name = "why", description = "Why things are as they are"),
        (name = "network", description = "The network in numbers"),
        (name = "cluster", description = "The coordinator's own replicas"),
        (name = "admin", description = "The data as a whole"),
    ),
)]
struct Description;

/// The description before any route is in it.
pub(super) fn begin() -> OpenApi {
    Description::openapi()
}

/// Adds what routes share to a description that has all of them: bounds, failures, headers.
pub(super) fn complete(description: &mut OpenApi, limits: &Limits) {
    let components = description.components.get_or_insert_with(Components::new);
    dto::fill_in(components, limits);
    for (path, item) in &mut description.paths.paths {
        if path.starts_with(PREFIX) {
            for (method, operation) in operations(item) {
                answers::add_failures(&method, operation);
                answers::add_headers(operation);
                parameters::add_request_timeout(operation);
                links::add(operation);
            }
        }
    }
}

/// Routes for the description, and for a page to browse it, all of whose parts are in this program.
pub(super) fn routes(description: &OpenApi) -> Result<Router, serde_json::Error> {
    let json = Bytes::from(serde_json::to_vec(description)?);
    let serve =
        get(async move || ([(header::CONTENT_TYPE, "application/json")], json.clone()).into_response());
    // Without this the page would ask a public service to validate the description.
    let config = Config::new([DESCRIPTION]).validator_url("none");
    let page: Router = SwaggerUi::new(PAGE).config(config).into();
    Ok(page
        .layer(from_fn(tell_what_is_missing))
        .route(DESCRIPTION, serve.clone())
        .route(DESCRIPTION_BELOW_PREFIX, serve)
        .route("/api", get(async || Redirect::to(PAGE)))
        .route("/api/", get(async || Redirect::to(PAGE))))
}

/// The page's own answer for a file that it does not have is empty.
async fn tell_what_is_missing(uri: Uri, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    if response.status() == StatusCode::NOT_FOUND {
        return unknown_route(uri).await.into_response();
    }
    response
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (HttpMethod, &mut Operation)> {
    [
        (HttpMethod::Get, item.get.as_mut()),
        (HttpMethod::Put, item.put.as_mut()),
        (HttpMethod::Post, item.post.as_mut()),
        (HttpMethod::Delete, item.delete.as_mut()),
    ]
    .into_iter()
    .filter_map(|(method, operation)| operation.map(|operation| (method, operation)))
}
