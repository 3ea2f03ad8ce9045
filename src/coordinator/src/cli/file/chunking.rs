//! Splits a file into chunks and hashes them, a piece at a time: memory does not grow with the file's size, only
//! with the number of its chunks.
//!
//! A chunk's hash is the BLAKE3 hash of its content, and so is its id. Ids are unique within a file, so where
//! content repeats, the later chunks' ids are derived from content and occurrence.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use blake3::{Hash, Hasher};
use bytesize::ByteSize;

/// As many chunks of one file as a coordinator can be configured to take.
const MAX_CHUNKS: u64 = 1 << 20;
const PIECE: usize = 1 << 20;
/// Keeps ids of repeated chunks apart from hashes of any content.
const REPEATED: &str = "zephyrfs-coordinator: id of a chunk whose content repeats within its file";

/// A file's content, described.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Content {
    /// Bytes.
    pub(super) size: u64,
    /// Of the whole.
    pub(super) hash: Hash,
    /// In the order of the file; none in an empty one.
    pub(super) chunks: Vec<Chunk>,
}

/// One chunk of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk {
    /// Unique within the file.
    pub(super) id: Hash,
    /// Of its content.
    pub(super) hash: Hash,
    /// Bytes; all chunks but the last have the chunk size.
    pub(super) size: u64,
}

/// A file that cannot be described.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    /// It cannot be opened or read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A directory, a device, a pipe or a socket.
    #[error("{} is {kind}, and only regular files can be added", path.display())]
    NoRegularFile {
        /// The file.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
    },
    /// Somebody wrote to it meanwhile.
    #[error("{} changed while it was read ({change}); add it again when nothing writes to it", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// What shows it.
        change: String,
    },
    /// The chunk size is too small for the file.
    #[error(
        "{} would have more than {MAX_CHUNKS} chunks; choose a --chunk-size of at least {}",
        path.display(),
        ByteSize::b(*least).display().iec()
    )]
    TooManyChunks {
        /// The file.
        path: PathBuf,
        /// The smallest chunk size that will do, in bytes.
        least: u64,
    },
}

/// Reads the file at `path`. `progress` is told how many bytes were read and how many there are.
///
/// # Errors
/// [`ReadError`].
pub(super) fn read(
    path: &Path,
    chunk_size: ByteSize,
    mut progress: impl FnMut(u64, u64),
) -> Result<Content, ReadError> {
    let unreadable = |source| ReadError::Unreadable {
        path: path.to_owned(),
        source,
    };
    // Looked at before it is opened: to open a pipe would wait for a writer.
    require_regular(path, &fs::metadata(path).map_err(unreadable)?)?;
    let mut file = File::open(path).map_err(unreadable)?;
    let before = file.metadata().map_err(unreadable)?;
    require_regular(path, &before)?;
    let chunk_size = chunk_size.as_u64().max(1);
    if before.len().div_ceil(chunk_size) > MAX_CHUNKS {
        return Err(ReadError::TooManyChunks {
            path: path.to_owned(),
            least: before.len().div_ceil(MAX_CHUNKS),
        });
    }
    // One byte more shows that the file grew; reading on would only take longer.
    let limited = (&mut file).take(before.len().saturating_add(1));
    let content = split(limited, chunk_size, |read| progress(read, before.len())).map_err(unreadable)?;
    let after = file.metadata().map_err(unreadable)?;
    match difference(&before, &after, content.size) {
        Some(change) => Err(ReadError::Changed {
            path: path.to_owned(),
            change,
        }),
        None => Ok(content),
    }
}

fn require_regular(path: &Path, metadata: &Metadata) -> Result<(), ReadError> {
    if metadata.is_file() {
        return Ok(());
    }
    Err(ReadError::NoRegularFile {
        path: path.to_owned(),
        kind: if metadata.is_dir() {
            "a directory"
        } else {
            "a device, a pipe or a socket"
        },
    })
}

fn difference(before: &Metadata, after: &Metadata, read: u64) -> Option<String> {
    let modified = |metadata: &Metadata| metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    if before.len() != after.len() {
        Some(format!(
            "its size was {} bytes and is {}",
            before.len(),
            after.len()
        ))
    } else if before.len() != read {
        Some(format!("it has {} bytes and {read} were read", before.len()))
    } else if modified(before) != modified(after) {
        Some("it was modified".to_owned())
    } else {
        None
    }
}

fn split(mut reader: impl Read, chunk_size: u64, mut progress: impl FnMut(u64)) -> io::Result<Content> {
    let mut piece = vec![0; PIECE];
    let mut whole = Hasher::new();
    let mut chunks = Vec::new();
    let mut occurrences = HashMap::new();
    let mut size = 0;
    loop {
        let mut hasher = Hasher::new();
        let mut filled = 0;
        while filled < chunk_size {
            let room = usize::try_from(chunk_size - filled).map_or(PIECE, |room| room.min(PIECE));
            let read = match reader.read(&mut piece[..room]) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            hasher.update(&piece[..read]);
            whole.update(&piece[..read]);
            filled += read as u64;
            size += read as u64;
            progress(size);
        }
        if filled > 0 {
            let hash = hasher.finalize();
            let earlier: &mut u64 = occurrences.entry(hash).or_default();
            chunks.push(Chunk {
                id: id(hash, *earlier),
                hash,
                size: filled,
            });
            *earlier += 1;
        }
        if filled < chunk_size {
            return Ok(Content {
                size,
                hash: whole.finalize(),
                chunks,
            });
        }
    }
}

/// The id of a chunk whose content came `earlier` times before it in the file.
fn id(hash: Hash, earlier: u64) -> Hash {
    if earlier == 0 {
        return hash;
    }
    let mut hasher = Hasher::new_derive_key(REPEATED);
    hasher.update(hash.as_bytes());
    hasher.update(&earlier.to_le_bytes());
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::fs::OpenOptions;
    use std::io::{self, Read, Write};
    use std::time::{Duration, SystemTime};

    use bytesize::ByteSize;

    use super::{Content, ReadError, read, split};

    fn sizes(content: &Content) -> Vec<u64> {
        content.chunks.iter().map(|chunk| chunk.size).collect()
    }

    /// Bytes of which no two blocks are alike.
    fn bytes(length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        blake3::Hasher::new().finalize_xof().fill(&mut bytes);
        bytes
    }

    #[test]
    fn chunks_end_where_they_should_at_every_border() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        for (length, expected) in [
            (0, vec![]),
            (1, vec![1]),
            (999, vec![999]),
            (1000, vec![1000]),
            (1001, vec![1000, 1]),
            (2000, vec![1000, 1000]),
            (2999, vec![1000, 1000, 999]),
        ] {
            let bytes = bytes(length);
            std::fs::write(&path, &bytes).unwrap();
            let content = read(&path, ByteSize::b(1000), |_, _| {}).unwrap();
            assert_eq!(sizes(&content), expected, "{length}");
            assert_eq!(content.size, length as u64);
            assert_eq!(content.hash, blake3::hash(&bytes));
            for (chunk, part) in content.chunks.iter().zip(bytes.chunks(1000)) {
                assert_eq!(chunk.hash, blake3::hash(part));
                assert_eq!(chunk.id, chunk.hash);
            }
        }
    }

    #[test]
    fn chunks_larger_than_a_read_are_one_chunk() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let bytes = bytes((5 << 20) + 3);
        std::fs::write(&path, &bytes).unwrap();
        let mut last = (0, 0);
        let content = read(&path, ByteSize::b((2 << 20) + 1), |read, whole| {
            last = (read, whole)
        })
        .unwrap();
        assert_eq!(sizes(&content), [(2 << 20) + 1, (2 << 20) + 1, (1 << 20) + 1]);
        assert_eq!(
            content.chunks[1].hash,
            blake3::hash(&bytes[(2 << 20) + 1..(4 << 20) + 2])
        );
        assert_eq!(last, (bytes.len() as u64, bytes.len() as u64));
    }

    #[test]
    fn how_reads_fall_makes_no_difference() {
        struct Trickle<'b>(&'b [u8], bool);
        impl Read for Trickle<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.1 = !self.1;
                if self.1 {
                    return Err(io::ErrorKind::Interrupted.into());
                }
                let some = buffer.len().min(7);
                self.0.read(&mut buffer[..some])
            }
        }
        let bytes = bytes(1000);
        let whole = split(bytes.as_slice(), 64, |_| {}).unwrap();
        assert_eq!(split(Trickle(&bytes, false), 64, |_| {}).unwrap(), whole);
    }

    #[test]
    fn repeated_content_has_ids_of_its_own_and_the_same_hash() {
        let content = split([b'x'; 1000].as_slice(), 100, |_| {}).unwrap();
        let ids: HashSet<_> = content.chunks.iter().map(|chunk| chunk.id).collect();
        assert_eq!(ids.len(), 10);
        let hash = blake3::hash(&[b'x'; 100]);
        assert!(content.chunks.iter().all(|chunk| chunk.hash == hash));
        assert_eq!(content.chunks[0].id, hash);
        assert_eq!(split([b'x'; 1000].as_slice(), 100, |_| {}).unwrap(), content);
    }

    #[test]
    fn a_file_that_grows_shrinks_or_is_rewritten_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let write = |text: &[u8]| std::fs::write(&path, text).unwrap();
        let grow = || {
            let mut file = OpenOptions::new().append(true).open(&path).unwrap();
            file.write_all(b"more").unwrap();
        };
        let rewrite = || {
            write(b"9876543210");
            let file = OpenOptions::new().write(true).open(&path).unwrap();
            file.set_modified(SystemTime::now() + Duration::from_secs(10))
                .unwrap();
        };
        let shrink = || write(b"0");
        let changes: [(&dyn Fn(), &str); 3] = [
            (&grow, "its size was 10 bytes and is 14"),
            (&shrink, "its size was 10 bytes and is 1"),
            (&rewrite, "it was modified"),
        ];
        for (change, expected) in changes {
            write(b"0123456789");
            let mut changed = false;
            let error = read(&path, ByteSize::b(4), |_, _| {
                if !changed {
                    changed = true;
                    change();
                }
            })
            .unwrap_err();
            assert!(
                matches!(&error, ReadError::Changed { change, .. } if change == expected),
                "{error}"
            );
        }
    }

    #[test]
    fn only_regular_files_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let error = read(directory.path(), ByteSize::b(4), |_, _| {}).unwrap_err();
        assert!(error.to_string().contains("is a directory"), "{error}");
        let error = read("/dev/zero".as_ref(), ByteSize::b(4), |_, _| {}).unwrap_err();
        assert!(matches!(error, ReadError::NoRegularFile { .. }), "{error}");
        let error = read(&directory.path().join("none"), ByteSize::b(4), |_, _| {}).unwrap_err();
        assert!(matches!(error, ReadError::Unreadable { .. }), "{error}");
    }

    #[test]
    fn too_many_chunks_are_refused_before_anything_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let file = std::fs::File::create(&path).unwrap();
        file.set_len((4 << 20) + 1).unwrap();
        let never = |_, _| panic!("it was read");
        let error = read(&path, ByteSize::b(4), never).unwrap_err();
        assert!(
            matches!(error, ReadError::TooManyChunks { least: 5, .. }),
            "{error}"
        );
        assert!(
            error.to_string().contains("--chunk-size of at least 5 B"),
            "{error}"
        );
    }
}
