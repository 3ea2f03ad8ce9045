//! Files: registered with their chunks, looked up, listed, deleted.

use axum::extract::State;
use axum::http::StatusCode;

use super::lists::PageParams;
use crate::api::rest::dto::{
    ErrorBody, FileSummary, GetFileInfoResponse, Id, List, RegisterFileRequest, RegisterFileResponse, Success,
};
use crate::api::rest::reply::{Answer, answer, outcome};
use crate::api::rest::request::{
    FreshnessParams, IdempotencyParams, JsonBody, PathId, Query, ReadContext, WriteContext,
};
use crate::api::rest::state::RestState;
use crate::service::PageQuery;

/// Registers a file and chooses nodes for its chunks
#[utoipa::path(
    post, path = "/api/v1/files/register", operation_id = "register_file", tag = "files",
    params(IdempotencyParams), request_body = RegisterFileRequest,
    responses(
        (status = 201, description = "Registered, now or before", body = RegisterFileResponse),
        (status = 409, description = "A chunk's id is in use for other content", body = ErrorBody),
        (status = 507, description = "No node has room", body = RegisterFileResponse),
    ),
)]
pub(in crate::api::rest) async fn register(
    State(state): State<RestState>,
    WriteContext(context): WriteContext,
    JsonBody(body): JsonBody<RegisterFileRequest>,
) -> Answer<RegisterFileResponse> {
    let registered = state.service.register_file(body.into(), context).await;
    outcome(
        StatusCode::CREATED,
        registered,
        RegisterFileResponse::registered,
        RegisterFileResponse::refused,
    )
}

/// One file with its chunks
#[utoipa::path(
    get, path = "/api/v1/files/{id}", operation_id = "get_file_info", tag = "files",
    params(("id" = Id, Path, description = "The file"), FreshnessParams),
    responses(
        (status = 200, description = "The file", body = GetFileInfoResponse),
        (status = 404, description = "No such file", body = GetFileInfoResponse),
    ),
)]
pub(in crate::api::rest) async fn one(
    State(state): State<RestState>,
    PathId(file): PathId,
    ReadContext(context): ReadContext,
) -> Answer<GetFileInfoResponse> {
    let file = state.service.file(file, context).await;
    outcome(
        StatusCode::OK,
        file,
        GetFileInfoResponse::found,
        GetFileInfoResponse::refused,
    )
}

/// Deletes a file and lets go of its chunks
#[utoipa::path(
    delete, path = "/api/v1/files/{id}", operation_id = "delete_file", tag = "files",
    params(("id" = Id, Path, description = "The file"), IdempotencyParams),
    responses(
        (status = 200, description = "Deleted", body = Success),
        (status = 404, description = "No such file", body = Success),
    ),
)]
pub(in crate::api::rest) async fn delete(
    State(state): State<RestState>,
    PathId(file): PathId,
    WriteContext(context): WriteContext,
) -> Answer<Success> {
    let done = state.service.delete_file(file, context).await;
    outcome(
        StatusCode::OK,
        done,
        |()| Success::done("File deleted"),
        Success::refused,
    )
}

/// Files by id
#[utoipa::path(
    get, path = "/api/v1/files", operation_id = "list_files", tag = "files", params(PageParams, FreshnessParams),
    responses((status = 200, description = "A page of files", body = List<FileSummary>)),
)]
pub(in crate::api::rest) async fn list(
    State(state): State<RestState>,
    Query(page): Query<PageQuery>,
    ReadContext(context): ReadContext,
) -> Answer<List<FileSummary>> {
    answer(state.service.list_files(page, context).await, List::of)
}
