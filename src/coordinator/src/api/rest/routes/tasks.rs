//! Tasks: what nodes are to do.

use axum::extract::State;
use utoipa::IntoParams;

use super::lists::TaskPageParams;
use crate::api::rest::dto::{Id, List, TaskRecord, TaskStateWord};
use crate::api::rest::failure::Failure;
use crate::api::rest::reply::{Answer, answer};
use crate::api::rest::request::{FreshnessParams, FromQuery, Query, QueryPairs, ReadContext};
use crate::api::rest::state::RestState;
use crate::service::{Limits, PageQuery, TaskListQuery};

/// Which tasks.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes what `TaskListQuery` reads")]
pub(in crate::api::rest) struct TaskListParams {
    /// Only tasks of this node.
    #[param(value_type = Option<Id>)]
    node: Option<String>,
    /// Only tasks in this state.
    #[param(value_type = Option<TaskStateWord>)]
    state: Option<String>,
}

impl FromQuery for TaskListQuery {
    fn from_query(pairs: &QueryPairs<'_>, limits: &Limits) -> Result<Self, Failure> {
        Ok(Self {
            node_id: pairs.not_empty("node")?.unwrap_or_default(),
            state: pairs.not_empty("state")?.unwrap_or_default(),
            page: PageQuery::from_query(pairs, limits)?,
        })
    }
}

/// Tasks that are not finished
#[utoipa::path(
    get, path = "/api/v1/tasks", operation_id = "list_tasks", tag = "tasks", params(TaskListParams, TaskPageParams, FreshnessParams),
    responses((status = 200, description = "A page of tasks", body = List<TaskRecord>)),
)]
pub(in crate::api::rest) async fn list(
    State(state): State<RestState>,
    Query(query): Query<TaskListQuery>,
    ReadContext(context): ReadContext,
) -> Answer<List<TaskRecord>> {
    let tasks = state.service.list_tasks(query, context).await;
    let tasks = tasks.map_err(|error| Failure::renaming(error, "node_id", "node"));
    answer(tasks, List::of)
}
