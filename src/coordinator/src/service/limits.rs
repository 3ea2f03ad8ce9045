//! How large requests may be, so that no input costs more memory or time than was planned for.

/// Bounds on what a request may carry. A request over one is refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of an id, a hash or an idempotency key.
    pub max_id_length: usize,
    /// Bytes of a file's name, or of a reason.
    pub max_name_length: usize,
    /// Bytes of one address.
    pub max_address_length: usize,
    /// Addresses of one node.
    pub max_addresses_per_node: usize,
    /// Capabilities of one node.
    pub max_capabilities_per_node: usize,
    /// Bytes of a capability's key, and of its value.
    pub max_capability_length: usize,
    /// Chunks of one file.
    pub max_chunks_per_file: usize,
    /// Bytes of one chunk.
    pub max_chunk_size: u64,
    /// Bytes of one file.
    pub max_file_size: u64,
    /// Node ids that one request may name.
    pub max_node_ids_per_request: usize,
    /// Items of one page of a list.
    pub max_page_size: usize,
    /// Writes that may wait for the engine at a time.
    pub max_pending_writes: usize,
    /// Watchers at a time.
    pub max_watchers: usize,
    /// Ids that one watcher may name.
    pub max_ids_per_watch: usize,
    /// Chunks that nobody knows and that one inventory may add; the next one adds more.
    pub max_unknown_per_inventory: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_id_length: 256,
            max_name_length: 4_096,
            max_address_length: 256,
            max_addresses_per_node: 16,
            max_capabilities_per_node: 64,
            max_capability_length: 256,
            max_chunks_per_file: 32_768,
            max_chunk_size: 1 << 40,
            max_file_size: 1 << 60,
            max_node_ids_per_request: 1_000,
            max_page_size: 1_000,
            max_pending_writes: 4_096,
            max_watchers: 256,
            max_ids_per_watch: 100,
            max_unknown_per_inventory: 100_000,
        }
    }
}
