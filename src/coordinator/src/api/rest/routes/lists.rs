//! What lists in pages have in common.

use utoipa::IntoParams;

use crate::api::rest::dto::{PageLimit, PageToken, TaskPageToken};
use crate::api::rest::failure::Failure;
use crate::api::rest::request::{FromQuery, QueryPairs};
use crate::service::{Limits, PageQuery};

/// Which page of a list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes what `PageQuery` reads")]
pub(super) struct PageParams {
    /// Items on the page; 100 if left out.
    #[param(value_type = Option<PageLimit>)]
    limit: Option<u32>,
    /// The `next_page_token` of the page before; left out or empty for the first page.
    #[param(value_type = Option<PageToken>)]
    page_token: Option<String>,
}

/// Which page of the list of tasks.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes what `PageQuery` reads")]
pub(super) struct TaskPageParams {
    /// Items on the page; 100 if left out.
    #[param(value_type = Option<PageLimit>)]
    limit: Option<u32>,
    /// The `next_page_token` of the page before; left out or empty for the first page.
    #[param(value_type = Option<TaskPageToken>)]
    page_token: Option<String>,
}

impl FromQuery for PageQuery {
    fn from_query(pairs: &QueryPairs<'_>, limits: &Limits) -> Result<Self, Failure> {
        let max = i64::try_from(limits.max_page_size).unwrap_or(i64::MAX);
        let token = pairs.one("page_token")?.unwrap_or_default();
        if token.bytes().any(|byte| byte.is_ascii_uppercase()) {
            // Hex has two spellings, tokens have one.
            return Err(Failure::invalid(
                "page_token: must be the next_page_token of the page before, unchanged",
            ));
        }
        Ok(Self {
            limit: pairs.number("limit", 1..=max)?.unwrap_or_default(),
            token,
        })
    }
}
