//! Lists in pages: what a client asks for, and what it gets.

/// Which page of a list a client wants, as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageQuery {
    /// Items on the page; 0 means 100, and more than 1,000 is 1,000.
    pub limit: i64,
    /// The token from the page before; empty for the first page.
    pub token: String,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct ListPage<T> {
    /// The items, by ascending id.
    pub items: Vec<T>,
    /// What to ask for the next page with; `None` on the last one.
    pub next_page_token: Option<String>,
}
