//! What is asked about tasks.

use super::page::PageQuery;

/// Which tasks an operator wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TaskListQuery {
    /// A node; empty means every node.
    pub node_id: String,
    /// `pending` or `issued`; empty means both.
    pub state: String,
    /// Which page.
    pub page: PageQuery,
}
