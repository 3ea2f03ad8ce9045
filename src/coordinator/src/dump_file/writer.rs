//! Writing a dump, row by row.

use std::io::{self, BufWriter, Write};

use zephyrfs_core::Dumper;
use zephyrfs_core::row::Row;
use zephyrfs_core::units::AppliedIndex;

use super::{FORMAT_VERSION, MAGIC, Summary, WriteError};

/// Bytes go out in portions of about so many.
const BUFFER: usize = 1 << 20;

/// A dump on its way to wherever it goes.
pub struct DumpWriter<W: Write> {
    out: BufWriter<W>,
    name: String,
    hasher: blake3::Hasher,
    bytes: u64,
    dumper: Dumper,
}

impl<W: Write> DumpWriter<W> {
    /// Begins a dump; `name` is what to call the place in messages.
    ///
    /// # Errors
    /// [`WriteError::Io`].
    pub fn begin(out: W, name: impl Into<String>) -> Result<Self, WriteError> {
        let mut writer = Self {
            out: BufWriter::with_capacity(BUFFER, out),
            name: name.into(),
            hasher: blake3::Hasher::new(),
            bytes: 0,
            dumper: Dumper::default(),
        };
        writer.write(&MAGIC)?;
        writer.write(&FORMAT_VERSION.to_le_bytes())?;
        Ok(writer)
    }

    /// Adds the next row, kind by kind.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn add(&mut self, row: &Row) -> Result<(), WriteError> {
        let row = self
            .dumper
            .add(row)
            .map_err(|error| WriteError::Row(error.to_string()))?;
        let length = u32::try_from(row.len()).map_err(|_| WriteError::Row("it is over 4 GiB".to_owned()))?;
        self.write(&length.to_le_bytes())?;
        self.write(&row)
    }

    /// How many rows were added.
    pub const fn rows(&self) -> u64 {
        self.dumper.rows()
    }

    /// Ends the dump, which is of the state at `index`, and gives back where it went; all of it was handed over there.
    ///
    /// # Errors
    /// [`WriteError::Io`].
    pub fn finish(mut self, index: AppliedIndex) -> Result<(W, Summary), WriteError> {
        self.write(&0_u32.to_le_bytes())?;
        self.write(&self.dumper.rows().to_le_bytes())?;
        self.write(&index.get().to_le_bytes())?;
        let hash = self.hasher.finalize().to_hex();
        self.write(hash.as_bytes())?;
        let Self {
            mut out,
            name,
            bytes,
            dumper,
            ..
        } = self;
        let flushed = out.flush();
        let out = flushed.and_then(|()| out.into_inner().map_err(io::IntoInnerError::into_error));
        let out = out.map_err(|source| WriteError::Io { name, source })?;
        let summary = Summary {
            rows: dumper.rows(),
            index,
            digest: dumper.digest(),
            bytes,
        };
        Ok((out, summary))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        self.out.write_all(bytes).map_err(|source| WriteError::Io {
            name: self.name.clone(),
            source,
        })
    }
}
