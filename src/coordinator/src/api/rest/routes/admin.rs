//! What operators ask of the data as a whole.

use axum::extract::State;

use crate::api::rest::dto::{BackupResponse, CleanupResponse, DatabaseStatsResponse};
use crate::api::rest::reply::{Answer, answer};
use crate::api::rest::request::Deadline;
use crate::api::rest::state::RestState;

/// How much is stored on the replica that answers
#[utoipa::path(
    get, path = "/api/v1/admin/database/stats", operation_id = "get_database_stats", tag = "admin",
    responses((status = 200, description = "Sizes and row counts", body = DatabaseStatsResponse)),
)]
pub(in crate::api::rest) async fn stats(
    State(state): State<RestState>,
    deadline: Deadline,
) -> Answer<DatabaseStatsResponse> {
    answer(
        state.service.database_stats(deadline.into()).await,
        DatabaseStatsResponse::from,
    )
}

/// Writes a consistent backup to the data directory of the replica that answers
#[utoipa::path(
    post, path = "/api/v1/admin/database/backup", operation_id = "backup_database", tag = "admin",
    responses((status = 200, description = "Complete and on disk", body = BackupResponse)),
)]
pub(in crate::api::rest) async fn backup(
    State(state): State<RestState>,
    deadline: Deadline,
) -> Answer<BackupResponse> {
    answer(state.service.backup(deadline.into()).await, BackupResponse::from)
}

/// Runs housekeeping once
#[utoipa::path(
    post, path = "/api/v1/admin/database/cleanup", operation_id = "cleanup_database", tag = "admin",
    responses((status = 200, description = "What was reclaimed", body = CleanupResponse)),
)]
pub(in crate::api::rest) async fn cleanup(
    State(state): State<RestState>,
    deadline: Deadline,
) -> Answer<CleanupResponse> {
    answer(
        state.service.cleanup(deadline.into()).await,
        CleanupResponse::from,
    )
}
