//! Chunks: where their copies are, and why there.

use axum::extract::State;
use axum::http::StatusCode;
use utoipa::IntoParams;

use crate::api::rest::dto::{
    ChunkDetails, ChunkExplanation, ErrorBody, FindChunkLocationsResponse, Id, Success, SuccessOrError,
    UpdateChunkLocationsRequest,
};
use crate::api::rest::failure::Failure;
use crate::api::rest::reply::{Answer, answer, outcome};
use crate::api::rest::request::{
    FreshnessParams, FromQuery, IdempotencyParams, JsonBody, PathId, Query, QueryPairs, ReadContext,
    WriteContext,
};
use crate::api::rest::state::RestState;
use crate::service::{Limits, LocationsQuery};

/// One chunk
#[utoipa::path(
    get, path = "/api/v1/chunks/{id}", operation_id = "get_chunk", tag = "chunks",
    params(("id" = Id, Path, description = "The chunk"), FreshnessParams),
    responses(
        (status = 200, description = "The chunk", body = ChunkDetails),
        (status = 404, description = "No such chunk", body = ErrorBody),
    ),
)]
pub(in crate::api::rest) async fn one(
    State(state): State<RestState>,
    PathId(chunk): PathId,
    ReadContext(context): ReadContext,
) -> Answer<ChunkDetails> {
    answer(state.service.chunk(chunk, context).await, ChunkDetails::from)
}

/// Which locations of a chunk.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes what `PreferredCount` reads")]
pub(in crate::api::rest) struct LocationsParams {
    /// Above 0: at most so many.
    #[param(minimum = 0, maximum = 2_147_483_647)]
    preferred_count: Option<i32>,
}

/// How many locations are wanted.
pub(in crate::api::rest) struct PreferredCount(i64);

impl FromQuery for PreferredCount {
    fn from_query(pairs: &QueryPairs<'_>, _: &Limits) -> Result<Self, Failure> {
        let count = pairs.number("preferred_count", 0..=i64::from(i32::MAX))?;
        Ok(Self(count.unwrap_or_default()))
    }
}

/// The nodes to ask for a chunk
#[utoipa::path(
    get, path = "/api/v1/chunks/{id}/locations", operation_id = "find_chunk_locations", tag = "chunks",
    params(("id" = Id, Path, description = "The chunk"), LocationsParams, FreshnessParams),
    responses(
        (status = 200, description = "The nodes; only ones that are there", body = FindChunkLocationsResponse),
        (status = 404, description = "No such chunk", body = FindChunkLocationsResponse),
    ),
)]
pub(in crate::api::rest) async fn locations(
    State(state): State<RestState>,
    PathId(chunk_id): PathId,
    Query(PreferredCount(preferred_count)): Query<PreferredCount>,
    ReadContext(context): ReadContext,
) -> Answer<FindChunkLocationsResponse> {
    let query = LocationsQuery {
        chunk_id,
        preferred_count,
    };
    let locations = state.service.find_chunk_locations(query, context).await;
    outcome(
        StatusCode::OK,
        locations,
        FindChunkLocationsResponse::found,
        FindChunkLocationsResponse::refused,
    )
}

/// Records that nodes store a chunk, or no longer do
#[utoipa::path(
    put, path = "/api/v1/chunks/{id}/locations", operation_id = "update_chunk_locations", tag = "chunks",
    params(("id" = Id, Path, description = "The chunk"), IdempotencyParams),
    request_body = UpdateChunkLocationsRequest,
    responses(
        (status = 200, description = "Recorded", body = Success),
        (status = 400, description = "An unknown operation, or a malformed request", body = SuccessOrError),
        (status = 404, description = "No such chunk or node", body = Success),
        (status = 409, description = "The chunk would have too many replicas", body = Success),
    ),
)]
pub(in crate::api::rest) async fn update_locations(
    State(state): State<RestState>,
    PathId(chunk): PathId,
    WriteContext(context): WriteContext,
    JsonBody(body): JsonBody<UpdateChunkLocationsRequest>,
) -> Answer<Success> {
    let done = state
        .service
        .update_chunk_locations(body.of(chunk), context)
        .await;
    outcome(
        StatusCode::OK,
        done,
        |()| Success::done("Chunk locations updated"),
        Success::refused,
    )
}

/// Why a chunk's copies are where they are, and where a further one could go
#[utoipa::path(
    get, path = "/api/v1/chunks/{id}/explain", operation_id = "explain_chunk", tag = "chunks",
    params(("id" = Id, Path, description = "The chunk"), FreshnessParams),
    responses(
        (status = 200, description = "Every node, and what speaks against it", body = ChunkExplanation),
        (status = 404, description = "No such chunk", body = ErrorBody),
    ),
)]
pub(in crate::api::rest) async fn explain(
    State(state): State<RestState>,
    PathId(chunk): PathId,
    ReadContext(context): ReadContext,
) -> Answer<ChunkExplanation> {
    answer(
        state.service.explain_chunk(chunk, context).await,
        ChunkExplanation::from,
    )
}
