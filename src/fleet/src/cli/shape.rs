//! The options that say what a file looks like, the same for every command that registers files.

use bytesize::ByteSize;
use clap::Args;

use crate::cli::values;
use crate::content::FileShape;

/// What each file looks like.
#[derive(Clone, Copy, Debug, Args)]
pub struct ShapeArgs {
    /// Chunks in each file
    #[arg(long, value_name = "N", default_value = "8", value_parser = values::count, help_heading = "Files")]
    pub chunks_per_file: usize,
    /// Bytes in each chunk
    #[arg(
        long,
        value_name = "SIZE",
        default_value = "4MiB",
        value_parser = values::size,
        help_heading = "Files"
    )]
    pub chunk_size: ByteSize,
}

impl ShapeArgs {
    /// The files that were asked for.
    #[must_use]
    pub fn file_shape(self) -> FileShape {
        FileShape {
            chunks: self.chunks_per_file,
            chunk_size: self.chunk_size,
        }
    }
}
