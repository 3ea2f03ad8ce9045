//! Files with random content: the requests that register them, cheap to make since they share the machine's
//! cores with the coordinator under load.

use bytesize::ByteSize;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use zephyrfs_proto::coordinator::{ChunkMetadata, RegisterFileRequest};

use crate::chunk_id::ChunkId;

/// The shape of new files.
#[derive(Clone, Copy, Debug)]
pub struct FileShape {
    /// Chunks in each file.
    pub chunks: usize,
    /// Bytes in each chunk.
    pub chunk_size: ByteSize,
}

/// Makes files, each unlike any other. Hashes are random: content that nobody reads needs no bytes.
#[derive(Debug)]
pub struct FileFactory {
    rng: SmallRng,
    shape: FileShape,
}

impl FileFactory {
    /// Files of that shape. The same seed and stream give the same files, in the same order.
    #[must_use]
    pub fn new(shape: FileShape, seed: u64, stream: u64) -> Self {
        // An odd multiplier keeps the streams of one seed apart from those of its neighbours.
        let mixed = seed ^ (stream + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        FileFactory {
            rng: SmallRng::seed_from_u64(mixed),
            shape,
        }
    }

    /// The next file, owned by `owner`.
    pub fn file(&mut self, owner: &str) -> RegisterFileRequest {
        self.file_of(self.shape.chunks, owner)
    }

    /// The next file, with so many chunks instead of the usual number.
    pub fn file_of(&mut self, chunks: usize, owner: &str) -> RegisterFileRequest {
        let size = i64::try_from(self.shape.chunk_size.as_u64()).unwrap_or(i64::MAX);
        let file_hash = self.hash();
        let file_id = format!("{:032x}", self.rng.random::<u128>());
        RegisterFileRequest {
            file_name: format!("{file_id}.bin"),
            file_id,
            file_size: size.saturating_mul(i64::try_from(chunks).unwrap_or(i64::MAX)),
            file_hash,
            chunks: (0..chunks).map(|index| self.chunk(index, size)).collect(),
            owner_node_id: owner.to_owned(),
        }
    }

    /// A number below `bound`, which must be above 0.
    pub fn pick(&mut self, bound: usize) -> usize {
        self.rng.random_range(0..bound)
    }

    fn chunk(&mut self, index: usize, size: i64) -> ChunkMetadata {
        let chunk_id = self.hash();
        let index = i32::try_from(index).unwrap_or(i32::MAX);
        ChunkMetadata {
            hash: chunk_id.clone(),
            chunk_id,
            size,
            index,
        }
    }

    fn hash(&mut self) -> String {
        ChunkId::from_digest(self.rng.random()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use bytesize::ByteSize;

    use super::{FileFactory, FileShape};

    const SHAPE: FileShape = FileShape {
        chunks: 3,
        chunk_size: ByteSize::kib(4),
    };

    #[test]
    fn a_file_is_complete_and_consistent() {
        let file = FileFactory::new(SHAPE, 1, 0).file("owner");
        assert_eq!(file.file_size, 3 * 4096);
        assert_eq!(file.owner_node_id, "owner");
        assert_eq!(
            file.chunks.iter().map(|chunk| chunk.index).collect::<Vec<_>>(),
            [0, 1, 2]
        );
        for chunk in &file.chunks {
            assert_eq!(chunk.size, 4096);
            assert_eq!(chunk.hash, chunk.chunk_id);
            assert_eq!(chunk.chunk_id.len(), 64);
        }
    }

    #[test]
    fn no_two_files_share_anything_over_all_streams() {
        let mut ids = HashSet::new();
        for stream in 0..8 {
            let mut factory = FileFactory::new(SHAPE, 1, stream);
            for _ in 0..50 {
                let file = factory.file("owner");
                assert!(ids.insert(file.file_id));
                assert!(file.chunks.into_iter().all(|chunk| ids.insert(chunk.chunk_id)));
            }
        }
    }

    #[test]
    fn the_seed_fixes_the_files() {
        let first = |seed, stream| FileFactory::new(SHAPE, seed, stream).file("owner");
        assert_eq!(first(1, 2), first(1, 2));
        assert_ne!(first(1, 2), first(2, 2));
        assert_ne!(first(1, 2), first(1, 3));
    }
}
