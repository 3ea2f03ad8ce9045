//! `coordinator file add`: describes a local file, registers it, and tells where each chunk goes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use bytesize::ByteSize;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};

use super::chunk_table::{ChunkLine, chunk_table};
use super::chunking::{self, Chunk, Content};
use crate::cli::arguments::WriteArgs;
use crate::cli::client::Request;
use crate::cli::display;
use crate::cli::exit::CliError;
use crate::cli::session::Session;
use crate::cli::table;
use crate::cli::values;

/// From here on a request may be larger than a coordinator takes by default.
const MANY_CHUNKS: usize = 10_000;

/// The options of `file add`.
#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    /// The file to add
    path: PathBuf,
    /// The file's id in the network [default: the BLAKE3 hash of its content]
    #[arg(long, value_parser = values::id)]
    id: Option<String>,
    /// The name to register it by [default: that of the local file]
    #[arg(long)]
    name: Option<String>,
    /// Bytes in each chunk but the last
    #[arg(long, value_name = "SIZE", default_value = "4MiB", value_parser = values::size)]
    chunk_size: ByteSize,
    /// The storage node that the file belongs to
    #[arg(long, value_name = "NODE", value_parser = values::id)]
    owner: Option<String>,
    /// Only print what would be registered; asks no coordinator
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    write: WriteArgs,
}

/// What is registered.
#[derive(Serialize)]
struct Registration<'a> {
    file_id: &'a str,
    file_name: &'a str,
    file_size: u64,
    file_hash: &'a str,
    chunks: Vec<ChunkRegistration<'a>>,
    owner_node_id: &'a str,
}

#[derive(Serialize)]
struct ChunkRegistration<'a> {
    chunk_id: &'a str,
    hash: &'a str,
    size: u64,
    index: usize,
}

#[derive(Deserialize)]
struct Registered {
    #[serde(default)]
    chunk_placements: Vec<Placement>,
}

#[derive(Deserialize)]
struct Placement {
    chunk_id: String,
    #[serde(default)]
    target_nodes: Vec<String>,
    #[serde(default)]
    replication_factor: i64,
}

/// What is printed.
#[derive(Debug, Serialize)]
struct AddedFile {
    file_id: String,
    file_name: String,
    file_size: u64,
    file_hash: String,
    chunks: Vec<AddedChunk>,
}

#[derive(Debug, Serialize)]
struct AddedChunk {
    chunk_id: String,
    hash: String,
    index: usize,
    size: u64,
    nodes: Vec<String>,
}

/// Adds a file.
///
/// # Errors
/// `Local` when the file cannot be read as it is, else any [`CliError`] of a write.
pub(super) async fn run(args: AddArgs, session: &mut Session<'_>) -> Result<(), CliError> {
    let name = match args.name {
        Some(name) => name,
        None => local_name(&args.path)?,
    };
    let content = read_with_progress(&args.path, args.chunk_size)?;
    let mut file = describe(content, args.id, name);
    if !args.dry_run {
        let request = Request::post(
            ["files", "register"],
            &registration(&file, args.owner.as_deref().unwrap_or_default()),
            args.write.repetition(),
        )
        .map_err(|error| CliError::Local(format!("the file cannot be described: {error}")))?;
        let answer = session
            .send(&request)
            .await
            .map_err(|error| advise(error, file.chunks.len()))?;
        let registered: Registered = answer.read()?;
        if let Some(shortage) = place(&mut file, registered) {
            session.output.note(&shortage);
        }
    }
    session.output.result(&file, render)
}

fn local_name(path: &Path) -> Result<String, CliError> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.map(str::to_owned).ok_or_else(|| {
        CliError::Local(format!(
            "{} has no name that can be registered; choose one with --name",
            path.display()
        ))
    })
}

/// Reads the file under a progress bar, which is drawn only where stderr is a terminal.
fn read_with_progress(path: &Path, chunk_size: ByteSize) -> Result<Content, CliError> {
    let bar = ProgressBar::new(0);
    if let Ok(style) =
        ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left")
    {
        bar.set_style(style);
    }
    let content = chunking::read(path, chunk_size, |read, whole| {
        bar.set_length(whole);
        bar.set_position(read);
    });
    bar.finish_and_clear();
    content.map_err(|error| CliError::Local(error.to_string()))
}

fn describe(content: Content, id: Option<String>, name: String) -> AddedFile {
    let Content { size, hash, chunks } = content;
    let describe_chunk = |(index, chunk): (usize, Chunk)| AddedChunk {
        chunk_id: chunk.id.to_string(),
        hash: chunk.hash.to_string(),
        index,
        size: chunk.size,
        nodes: Vec::new(),
    };
    AddedFile {
        file_id: id.unwrap_or_else(|| hash.to_string()),
        file_name: name,
        file_size: size,
        file_hash: hash.to_string(),
        chunks: chunks.into_iter().enumerate().map(describe_chunk).collect(),
    }
}

fn registration<'a>(file: &'a AddedFile, owner: &'a str) -> Registration<'a> {
    let AddedFile {
        file_id,
        file_name,
        file_size,
        file_hash,
        chunks,
    } = file;
    let chunk = |chunk: &'a AddedChunk| ChunkRegistration {
        chunk_id: &chunk.chunk_id,
        hash: &chunk.hash,
        size: chunk.size,
        index: chunk.index,
    };
    Registration {
        file_id,
        file_name,
        file_size: *file_size,
        file_hash,
        chunks: chunks.iter().map(chunk).collect(),
        owner_node_id: owner,
    }
}

/// Tells how to go on when a file may have been refused for its many chunks.
fn advise(error: CliError, chunks: usize) -> CliError {
    match error {
        CliError::Refused(text) if chunks > MANY_CHUNKS => CliError::Refused(format!(
            "{text}; the file has {chunks} chunks: with a larger --chunk-size it has fewer"
        )),
        error => error,
    }
}

/// Enters where the chunks go. The result says so if some have fewer nodes than wanted.
fn place(file: &mut AddedFile, registered: Registered) -> Option<String> {
    let wanted = registered
        .chunk_placements
        .iter()
        .map(|placement| placement.replication_factor);
    let wanted = wanted.max().unwrap_or_default();
    let placements = registered.chunk_placements.into_iter();
    let mut nodes: HashMap<_, _> = placements
        .map(|placement| (placement.chunk_id, placement.target_nodes))
        .collect();
    for chunk in &mut file.chunks {
        chunk.nodes = nodes.remove(&chunk.chunk_id).unwrap_or_default();
    }
    let few = |chunk: &&AddedChunk| i64::try_from(chunk.nodes.len()).is_ok_and(|count| count < wanted);
    match file.chunks.iter().filter(few).count() {
        0 => None,
        count => Some(format!(
            "{count} of {} chunks have fewer than the {wanted} copies wanted; the rest is placed when nodes arrive",
            file.chunks.len()
        )),
    }
}

fn render(file: &AddedFile) -> String {
    let signed = |size: u64| i64::try_from(size).unwrap_or(i64::MAX);
    let mut text = table::facts([
        ("File", display::text(&file.file_id)),
        ("Name", display::text(&file.file_name)),
        ("Size", display::size(signed(file.file_size))),
        ("Hash", file.file_hash.clone()),
        ("Chunks", file.chunks.len().to_string()),
    ]);
    if !file.chunks.is_empty() {
        text.push('\n');
        text.push_str(&chunk_table(file.chunks.iter().map(|chunk| ChunkLine {
            index: i64::try_from(chunk.index).unwrap_or(i64::MAX),
            id: &chunk.chunk_id,
            size: signed(chunk.size),
            nodes: &chunk.nodes,
        })));
    }
    text
}
