//! The table that tells where the chunks of a file are, or go.

use crate::cli::display;
use crate::cli::table::{self, Align};

/// One chunk in it.
pub(super) struct ChunkLine<'c> {
    /// Where it stands in the file.
    pub(super) index: i64,
    /// Its id.
    pub(super) id: &'c str,
    /// Bytes.
    pub(super) size: i64,
    /// The nodes that have it, or are to have it.
    pub(super) nodes: &'c [String],
}

/// The table.
pub(super) fn chunk_table<'c>(lines: impl IntoIterator<Item = ChunkLine<'c>>) -> String {
    let header = [
        ("INDEX", Align::Right),
        ("CHUNK", Align::Left),
        ("SIZE", Align::Right),
        ("COPIES", Align::Right),
        ("NODES", Align::Left),
    ];
    let row = |line: ChunkLine<'_>| {
        let nodes: Vec<_> = line.nodes.iter().map(|node| display::escaped(node)).collect();
        vec![
            line.index.to_string(),
            display::text(line.id),
            display::size(line.size),
            line.nodes.len().to_string(),
            display::text(&nodes.join(", ")),
        ]
    };
    table::rows(&header, lines.into_iter().map(row))
}
