//! Reading a dump, row by row, and finding out at its end whether it is whole.

use std::io::{self, BufReader, Read};

use zephyrfs_core::row::Row;
use zephyrfs_core::units::AppliedIndex;
use zephyrfs_core::{Dumper, MAX_ROW_BYTES, decode_row};

use super::{FORMAT_VERSION, MAGIC, Summary};

const BUFFER: usize = 1 << 20;

/// How what gzip, zstd and xz write begins.
const COMPRESSED: [&[u8]; 3] = [
    &[0x1f, 0x8b],
    &[0x28, 0xb5, 0x2f, 0xfd],
    &[0xfd, 0x37, 0x7a, 0x58],
];

/// The index of a dump is at most this.
const LAST_INDEX: u64 = 1 << 62;

/// Why a dump cannot be read. What was read of it before is not to be used.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file, the disk or the pipe.
    #[error("cannot read {name}: {source}")]
    Io {
        /// Where from.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// Something else.
    #[error("{name} is no dump of a coordinator{}", if *.is_compressed { ", but something compressed: decompress it first" } else { "" })]
    Foreign {
        /// Where from.
        name: String,
        /// Whether it looks like something compressed.
        is_compressed: bool,
    },
    /// Another format.
    #[error(
        "{name} is a dump of format {found}, and this version reads format {FORMAT_VERSION}: use a version of the coordinator \
         that reads it"
    )]
    Format {
        /// Where from.
        name: String,
        /// Its format.
        found: u32,
    },
    /// It ends early.
    #[error("{name} is cut short after {rows} rows; take another copy of it")]
    Short {
        /// Where from.
        name: String,
        /// The rows before.
        rows: u64,
    },
    /// Bytes are not what was written.
    #[error("{name} is damaged ({problem}); take another copy of it")]
    Damaged {
        /// Where from.
        name: String,
        /// What is wrong.
        problem: String,
    },
}

/// A dump on its way from wherever it comes.
pub struct DumpReader<R: Read> {
    input: BufReader<R>,
    name: String,
    hasher: blake3::Hasher,
    bytes: u64,
    dumper: Dumper,
    row: Vec<u8>,
}

/// What comes next in a dump.
#[derive(Debug)]
pub enum Next {
    /// A row.
    Row(Row),
    /// Nothing: this was a whole dump, and every byte of it is as it was written.
    End(Summary),
}

impl<R: Read> DumpReader<R> {
    /// Begins to read; `name` is what to call the place in messages.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn begin(input: R, name: impl Into<String>) -> Result<Self, ReadError> {
        let mut reader = Self {
            input: BufReader::with_capacity(BUFFER, input),
            name: name.into(),
            hasher: blake3::Hasher::new(),
            bytes: 0,
            dumper: Dumper::default(),
            row: Vec::new(),
        };
        match reader.array::<8>() {
            Ok(magic) if magic == MAGIC => {}
            Ok(magic) => {
                return Err(ReadError::Foreign {
                    name: reader.name,
                    is_compressed: COMPRESSED.iter().any(|begins| magic.starts_with(begins)),
                });
            }
            Err(ReadError::Short { .. }) => {
                return Err(ReadError::Foreign {
                    name: reader.name,
                    is_compressed: false,
                });
            }
            Err(error) => return Err(error),
        }
        let found = u32::from_le_bytes(reader.array()?);
        if found != FORMAT_VERSION {
            return Err(ReadError::Format {
                name: reader.name,
                found,
            });
        }
        Ok(reader)
    }

    /// The next row, or the end. What came before the end is known to be sound only when the end is there.
    ///
    /// # Errors
    /// [`ReadError`].
    #[expect(clippy::should_implement_trait, reason = "an iterator has no last word")]
    pub fn next(&mut self) -> Result<Next, ReadError> {
        let length = u32::from_le_bytes(self.array()?);
        if length == 0 {
            return self.end().map(Next::End);
        }
        if length as usize > MAX_ROW_BYTES {
            return Err(self.damaged(format!("a row of {length} bytes")));
        }
        // As much memory as there are bytes, whatever the length says.
        self.row.clear();
        let read = (&mut self.input)
            .take(u64::from(length))
            .read_to_end(&mut self.row);
        let read = read.map_err(|source| self.io(source))?;
        if read as u64 != u64::from(length) {
            return Err(self.short());
        }
        self.hasher.update(&self.row);
        self.bytes += u64::from(length);
        let row = decode_row(&self.row)
            .map_err(|_| self.damaged(format!("row {} is none", self.dumper.rows() + 1)))?;
        let encoded = self
            .dumper
            .add(&row)
            .map_err(|error| self.damaged(error.to_string()))?;
        if encoded != self.row {
            return Err(self.damaged("a row that nobody writes so".to_owned()));
        }
        Ok(Next::Row(row))
    }

    /// How many bytes were read.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    fn end(&mut self) -> Result<Summary, ReadError> {
        let rows = u64::from_le_bytes(self.array()?);
        let index = u64::from_le_bytes(self.array()?);
        let expected = self.hasher.finalize().to_hex();
        let found = self.array::<64>()?;
        if found != *expected.as_bytes() || rows != self.dumper.rows() {
            return Err(self.damaged("its checksum is another".to_owned()));
        }
        // No service counts so far: what comes after it has to fit into whatever counts there.
        if index > LAST_INDEX {
            return Err(self.damaged(format!("index {index}")));
        }
        let after = (&mut self.input).take(1).read_to_end(&mut self.row);
        if after.map_err(|source| self.io(source))? > 0 {
            return Err(self.damaged("something follows its end".to_owned()));
        }
        Ok(Summary {
            rows,
            index: AppliedIndex::new(index),
            digest: self.dumper.digest(),
            bytes: self.bytes,
        })
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let mut bytes = [0; N];
        match self.input.read_exact(&mut bytes) {
            Ok(()) => {
                self.hasher.update(&bytes);
                self.bytes += N as u64;
                Ok(bytes)
            }
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(self.short()),
            Err(error) => Err(self.io(error)),
        }
    }

    fn io(&self, source: io::Error) -> ReadError {
        ReadError::Io {
            name: self.name.clone(),
            source,
        }
    }

    fn short(&self) -> ReadError {
        ReadError::Short {
            name: self.name.clone(),
            rows: self.dumper.rows(),
        }
    }

    fn damaged(&self, problem: String) -> ReadError {
        ReadError::Damaged {
            name: self.name.clone(),
            problem,
        }
    }
}

#[cfg(test)]
mod tests {
    use zephyrfs_core::id::{ChunkId, ContentHash, FileId};
    use zephyrfs_core::row::{FileRow, Fingerprint, RequestRow, Row};
    use zephyrfs_core::units::{AppliedIndex, ByteSize, Timestamp};
    use zephyrfs_core::{Dumper, Response};

    use super::super::{DumpWriter, Summary};
    use super::{DumpReader, Next, ReadError};

    /// One of each kind that has texts, and one of another.
    fn rows() -> [Row; 3] {
        let file = FileRow {
            name: "a name of some length".to_owned(),
            size: ByteSize::new(1),
            hash: ContentHash::from("hash"),
            owner: None,
            created_at: Timestamp::from_millis(1),
            chunks: [].into(),
        };
        let request = RequestRow {
            fingerprint: Fingerprint::from_bytes([7; 32]),
            response: Response::FileDeleted,
            expires_at: Timestamp::from_millis(2),
        };
        [
            Row::File(FileId::from("f"), file),
            Row::Sharer(ChunkId::from("c"), FileId::from("f"), 1),
            Row::Request("a key of some length".to_owned(), request),
        ]
    }

    fn dump() -> (Vec<u8>, Summary) {
        let mut writer = DumpWriter::begin(Vec::new(), "memory").unwrap();
        for row in &rows() {
            writer.add(row).unwrap();
        }
        writer.finish(AppliedIndex::new(77)).unwrap()
    }

    fn read(bytes: &[u8]) -> Result<(Vec<Row>, Summary), ReadError> {
        let mut reader = DumpReader::begin(bytes, "memory")?;
        let mut rows = Vec::new();
        loop {
            match reader.next()? {
                Next::Row(row) => rows.push(row),
                Next::End(summary) => return Ok((rows, summary)),
            }
        }
    }

    #[test]
    fn what_was_written_comes_back() {
        let (bytes, written) = dump();
        assert_eq!(written.bytes, bytes.len() as u64);
        let mut expected = Dumper::default();
        for row in &rows() {
            expected.add(row).unwrap();
        }
        assert_eq!((written.rows, written.digest), (3, expected.digest()));
        assert_eq!(read(&bytes).unwrap(), (rows().to_vec(), written));
    }

    #[test]
    fn no_byte_can_be_changed_cut_off_or_added() {
        let (bytes, _) = dump();
        for at in 0..bytes.len() {
            // The last ones say that a long number follows, as of a length.
            let long = 0xFB..=0xFF;
            let changes = [bytes[at] ^ 1, bytes[at] ^ 0x80].into_iter().chain(long);
            for changed in changes.filter(|changed| *changed != bytes[at]) {
                let mut bytes = bytes.clone();
                bytes[at] = changed;
                read(&bytes).unwrap_err();
            }
            let cut = read(&bytes[..at]).unwrap_err();
            assert!(
                matches!(cut, ReadError::Short { .. } | ReadError::Foreign { .. }),
                "{cut}"
            );
        }
        let mut longer = bytes;
        longer.push(0);
        let error = read(&longer).unwrap_err().to_string();
        assert!(error.contains("something follows its end"), "{error}");
    }

    #[test]
    fn what_is_no_dump_is_called_so() {
        for bytes in [&b""[..], b"SQLite format 3\0 and more", b"ZFSDUMP"] {
            let error = read(bytes).unwrap_err().to_string();
            assert_eq!(error, "memory is no dump of a coordinator");
        }
        let error = read(b"\x28\xb5\x2f\xfd and more").unwrap_err().to_string();
        assert!(error.contains("decompress it first"), "{error}");
        let error = read(b"ZFSDUMP\0\x63\0\0\0").unwrap_err().to_string();
        assert!(error.contains("format 99"), "{error}");
        // A length that nothing stands behind takes no memory.
        let error = read(b"ZFSDUMP\0\x02\0\0\0\xff\xff\xff\x001").unwrap_err();
        assert!(matches!(error, ReadError::Short { rows: 0, .. }), "{error}");
        let error = read(b"ZFSDUMP\0\x02\0\0\0\xff\xff\xff\xff1").unwrap_err();
        assert!(matches!(error, ReadError::Damaged { .. }), "{error}");
    }
}
