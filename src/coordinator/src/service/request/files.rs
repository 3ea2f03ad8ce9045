//! What is asked about files.

/// A file as a client describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileRegistration {
    /// Chosen by the client.
    pub file_id: String,
    /// Any name.
    pub file_name: String,
    /// Bytes.
    pub file_size: i64,
    /// Of the whole content.
    pub file_hash: String,
    /// In any order.
    pub chunks: Vec<ChunkDescription>,
    /// Who registers it; may be empty.
    pub owner_node_id: String,
}

/// A chunk of a file as a client describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChunkDescription {
    /// Chosen by the client.
    pub chunk_id: String,
    /// Of its content.
    pub hash: String,
    /// Bytes.
    pub size: i64,
    /// Where it stands in the file.
    pub index: i64,
}
