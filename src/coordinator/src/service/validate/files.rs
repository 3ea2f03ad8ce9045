//! Registrations of files: every chunk is checked, and no chunk and no index may come twice.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;

use zephyrfs_core::id::{ChunkId, ContentHash, FileId, NodeId};
use zephyrfs_core::units::ByteSize;

use super::number::byte_size;
use super::problem::{at_most, invalid};
use super::text::{free_text, id, optional_id, plain_text};
use crate::service::error::ServiceError;
use crate::service::limits::Limits;
use crate::service::request::{ChunkDescription, FileRegistration};

/// A file that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::service) struct ValidFile {
    pub(in crate::service) id: FileId,
    pub(in crate::service) name: String,
    pub(in crate::service) size: ByteSize,
    pub(in crate::service) hash: ContentHash,
    pub(in crate::service) owner: Option<NodeId>,
    /// In ascending order of their index.
    pub(in crate::service) chunks: Vec<ValidChunk>,
}

/// A chunk that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::service) struct ValidChunk {
    pub(in crate::service) id: ChunkId,
    pub(in crate::service) hash: ContentHash,
    pub(in crate::service) size: ByteSize,
    pub(in crate::service) index: u32,
    /// Where it stood in the request, for errors that are found later.
    pub(in crate::service) position: usize,
}

impl ValidFile {
    /// The chunk with an id.
    pub(in crate::service) fn chunk(&self, id: &ChunkId) -> Option<&ValidChunk> {
        self.chunks.iter().find(|chunk| chunk.id == *id)
    }
}

/// Checks a file.
pub(in crate::service) fn file(
    limits: &Limits,
    registration: FileRegistration,
) -> Result<ValidFile, ServiceError> {
    let FileRegistration {
        file_id,
        file_name,
        file_size,
        file_hash,
        chunks,
        owner_node_id,
    } = registration;
    let id = id(limits, "file_id", file_id)?;
    let name = free_text("file_name", file_name, limits.max_name_length)?;
    let size = byte_size("file_size", file_size, limits.max_file_size)?;
    let hash = ContentHash::from(plain_text("file_hash", file_hash, limits.max_id_length)?);
    let owner = optional_id(limits, "owner_node_id", owner_node_id)?;
    at_most("chunks", "chunks", chunks.len(), limits.max_chunks_per_file)?;
    let mut chunks = chunks
        .into_iter()
        .enumerate()
        .map(|(position, description)| chunk(limits, position, description))
        .collect::<Result<Vec<_>, _>>()?;
    refuse_twins(&chunks, "chunk_id", |chunk| &chunk.id)?;
    refuse_twins(&chunks, "index", |chunk| &chunk.index)?;
    chunks.sort_unstable_by_key(|chunk| chunk.index);
    Ok(ValidFile {
        id,
        name,
        size,
        hash,
        owner,
        chunks,
    })
}

fn chunk(
    limits: &Limits,
    position: usize,
    description: ChunkDescription,
) -> Result<ValidChunk, ServiceError> {
    let ChunkDescription {
        chunk_id,
        hash,
        size,
        index,
    } = description;
    let id = id(limits, format_args!("chunks[{position}].chunk_id"), chunk_id)?;
    let hash = plain_text(
        format_args!("chunks[{position}].hash"),
        hash,
        limits.max_id_length,
    )?;
    let size = byte_size(
        format_args!("chunks[{position}].size"),
        size,
        limits.max_chunk_size,
    )?;
    // The wire carries indexes as signed 32-bit integers, in both directions.
    let Some(index) = i32::try_from(index)
        .ok()
        .and_then(|index| u32::try_from(index).ok())
    else {
        let field = format_args!("chunks[{position}].index");
        return invalid(field, format!("must be from 0 to {}, got {index}", i32::MAX));
    };
    Ok(ValidChunk {
        id,
        hash: ContentHash::from(hash),
        size,
        index,
        position,
    })
}

/// Refuses two chunks that have the same of something, naming both.
fn refuse_twins<'a, K: Eq + Hash + fmt::Debug + 'a>(
    chunks: &'a [ValidChunk],
    field: &str,
    key: impl Fn(&'a ValidChunk) -> &'a K,
) -> Result<(), ServiceError> {
    let mut seen = HashMap::with_capacity(chunks.len());
    for chunk in chunks {
        if let Some(first) = seen.insert(key(chunk), chunk.position) {
            return invalid(
                format_args!("chunks[{}].{field}", chunk.position),
                format!(
                    "must not appear twice, but {:?} is that of chunks[{first}] too",
                    key(chunk)
                ),
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::file;
    use crate::service::error::ServiceError;
    use crate::service::limits::Limits;
    use crate::service::request::{ChunkDescription, FileRegistration};

    fn chunk(id: &str, index: i64) -> ChunkDescription {
        ChunkDescription {
            chunk_id: id.to_owned(),
            hash: format!("hash of {id}"),
            size: 10,
            index,
        }
    }

    fn good() -> FileRegistration {
        FileRegistration {
            file_id: "file-1".to_owned(),
            file_name: "a name".to_owned(),
            file_size: 30,
            file_hash: "hash".to_owned(),
            chunks: vec![chunk("c", 2), chunk("a", 0), chunk("b", 1)],
            owner_node_id: String::new(),
        }
    }

    #[test]
    fn chunks_come_out_by_index_and_remember_their_position() {
        let valid = file(&Limits::default(), good()).unwrap();
        let seen: Vec<_> = valid
            .chunks
            .iter()
            .map(|chunk| (chunk.id.as_str(), chunk.index, chunk.position))
            .collect();
        assert_eq!(seen, [("a", 0, 1), ("b", 1, 2), ("c", 2, 0)]);
        assert_eq!(valid.owner, None);
    }

    #[test]
    fn every_malformed_part_of_a_file_is_named() {
        type Spoil = fn(&mut FileRegistration);
        let cases: [(Spoil, &str); 14] = [
            (|file| file.file_id.clear(), "file_id: must not be empty"),
            (
                |file| file.file_id = "f".repeat(257),
                "file_id: must be at most 256",
            ),
            (
                |file| file.file_name = "n".repeat(4_097),
                "file_name: must be at most 4096",
            ),
            (
                |file| file.file_size = -1,
                "file_size: must not be negative, got -1",
            ),
            (
                |file| file.file_size = i64::MAX,
                "file_size: must be at most 1152921504606846976",
            ),
            (
                |file| file.file_hash = "\r".to_owned(),
                "file_hash: must not contain",
            ),
            (
                |file| file.owner_node_id = "\r".to_owned(),
                "owner_node_id: must not contain",
            ),
            (
                |file| file.chunks[1].chunk_id.clear(),
                "chunks[1].chunk_id: must not be empty",
            ),
            (
                |file| file.chunks[1].hash = "h".repeat(257),
                "chunks[1].hash: must be at most 256",
            ),
            (
                |file| file.chunks[2].size = -1,
                "chunks[2].size: must not be negative, got -1",
            ),
            (
                |file| file.chunks[2].size = (1 << 40) + 1,
                "chunks[2].size: must be at most 1099511627776",
            ),
            (
                |file| file.chunks[0].index = i64::from(i32::MAX) + 1,
                "chunks[0].index: must be from 0 to 2147483647, got 2147483648",
            ),
            (
                |file| file.chunks[2].chunk_id = "c".to_owned(),
                "chunks[2].chunk_id: must not appear twice, but \"c\" is that of chunks[0] too",
            ),
            (
                |file| file.chunks[2].index = 2,
                "chunks[2].index: must not appear twice, but 2 is that of chunks[0] too",
            ),
        ];
        for (spoil, expected) in cases {
            let mut registration = good();
            spoil(&mut registration);
            let error = file(&Limits::default(), registration).expect_err(expected);
            assert!(matches!(error, ServiceError::Invalid(_)), "{error}");
            assert!(error.to_string().starts_with(expected), "{error}");
        }
    }

    #[test]
    fn too_many_chunks_are_too_large() {
        let limits = Limits {
            max_chunks_per_file: 2,
            ..Limits::default()
        };
        let error = file(&limits, good()).expect_err("three chunks");
        assert!(matches!(error, ServiceError::TooLarge(_)), "{error}");
        assert_eq!(error.to_string(), "chunks: must have at most 2 chunks, got 3");
    }
}
