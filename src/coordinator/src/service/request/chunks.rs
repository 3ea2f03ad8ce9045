//! What is asked about chunks.

/// What nodes say of a chunk, as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LocationUpdate {
    /// The chunk.
    pub chunk_id: String,
    /// The nodes.
    pub node_ids: Vec<String>,
    /// `add` or `remove`.
    pub operation: String,
}

/// Which locations of a chunk a client wants.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LocationsQuery {
    /// The chunk.
    pub chunk_id: String,
    /// Above 0: at most so many.
    pub preferred_count: i64,
}
