//! Lists in pages.

use serde::Serialize;
use utoipa::ToSchema;

use crate::service::ListPage;

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::api::rest) struct List<T> {
    /// The items, by ascending id.
    items: Vec<T>,
    /// What to ask for the next page with, as `page_token`; null on the last one.
    next_page_token: Option<String>,
}

impl<T> List<T> {
    /// A page with its items in their JSON form.
    pub(in crate::api::rest) fn of<S>(page: ListPage<S>) -> Self
    where
        T: From<S>,
    {
        let ListPage {
            items,
            next_page_token,
        } = page;
        Self {
            items: items.into_iter().map(T::from).collect(),
            next_page_token,
        }
    }
}
