//! What is asked about changes.

/// Which changes a client wants, as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WatchQuery {
    /// Only what changes after this index; `None` is from now on.
    pub after: Option<u64>,
    /// `node`, `file`, `chunk`, `task`, `cluster`; none means all.
    pub kinds: Vec<String>,
    /// Only what is about these; none means all.
    pub ids: Vec<String>,
}
