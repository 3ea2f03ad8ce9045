//! What is asked about lists.

/// Which page of a list a client wants, as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageQuery {
    /// Items on the page; 0 means 100, and more than 1,000 is 1,000.
    pub limit: i64,
    /// The token from the page before; empty for the first page.
    pub token: String,
}
