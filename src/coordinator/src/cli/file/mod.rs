//! `coordinator file`: registers, shows, lists and deletes files.

mod add;
mod chunk_table;
mod chunking;

use clap::{Args, Subcommand};
use serde::Deserialize;

use super::arguments::{ClientArgs, ListArgs, WriteArgs};
use super::display::{self, Time};
use super::exit::CliError;
use super::list;
use super::session::Session;
use super::table::{self, Align};
use super::values;
use chunk_table::{ChunkLine, chunk_table};

/// Register, show, list and delete files
#[derive(Debug, Args)]
pub(crate) struct FileCommand {
    #[command(flatten)]
    pub(crate) client: ClientArgs,
    #[command(subcommand)]
    pub(crate) action: FileAction,
}

/// What to do with files.
#[derive(Debug, Subcommand)]
pub(crate) enum FileAction {
    /// Split a local file into chunks, register it, and print where each chunk goes
    Add(add::AddArgs),
    /// Show a file with its chunks and where they are
    Show {
        /// The file's id
        #[arg(value_parser = values::id)]
        id: String,
    },
    /// List files by id
    List(ListArgs),
    /// Delete a file; nodes drop chunks that no other file needs after a while
    Delete {
        /// The file's id
        #[arg(value_parser = values::id)]
        id: String,
        #[command(flatten)]
        write: WriteArgs,
    },
}

#[derive(Deserialize)]
struct Info {
    file_info: File,
}

#[derive(Deserialize)]
struct File {
    file_id: String,
    #[serde(default)]
    file_name: String,
    #[serde(default)]
    file_size: i64,
    #[serde(default)]
    file_hash: String,
    #[serde(default)]
    chunks: Vec<Chunk>,
    owner_node_id: Option<String>,
    created_at: Option<Time>,
}

#[derive(Deserialize)]
struct Chunk {
    chunk_id: String,
    #[serde(default)]
    size: i64,
    #[serde(default)]
    index: i64,
    #[serde(default)]
    stored_at_nodes: Vec<String>,
}

#[derive(Deserialize)]
struct Summary {
    file_id: String,
    #[serde(default)]
    file_name: String,
    #[serde(default)]
    file_size: i64,
    #[serde(default)]
    chunk_count: i64,
    created_at: Option<Time>,
}

#[derive(Deserialize)]
struct Deleted {
    message: Option<String>,
}

impl FileAction {
    /// Does it.
    ///
    /// # Errors
    /// Any [`CliError`].
    pub(crate) async fn run(self, session: &mut Session<'_>) -> Result<(), CliError> {
        match self {
            Self::Add(args) => add::run(args, session).await,
            Self::Show { id } => session.show(&["files", &id], render_info).await,
            Self::List(args) => list::print(session, &["files"], None, args, render_list).await,
            Self::Delete { id, write } => {
                let render =
                    |deleted: Deleted| display::outcome(deleted.message, || format!("{id} is deleted"));
                session.delete(&["files", &id], write.repetition(), render).await
            }
        }
    }
}

fn render_info(info: Info) -> String {
    let file = info.file_info;
    let mut text = table::facts([
        ("File", display::text(&file.file_id)),
        ("Name", display::text(&file.file_name)),
        ("Size", display::size(file.file_size)),
        ("Hash", display::text(&file.file_hash)),
        (
            "Owner",
            display::text(file.owner_node_id.as_deref().unwrap_or_default()),
        ),
        ("Created", display::time(file.created_at.as_ref())),
        ("Chunks", file.chunks.len().to_string()),
    ]);
    if !file.chunks.is_empty() {
        text.push('\n');
        text.push_str(&chunk_table(file.chunks.iter().map(|chunk| ChunkLine {
            index: chunk.index,
            id: &chunk.chunk_id,
            size: chunk.size,
            nodes: &chunk.stored_at_nodes,
        })));
    }
    text
}

fn render_list(files: Vec<Summary>) -> String {
    let header = [
        ("FILE", Align::Left),
        ("SIZE", Align::Right),
        ("CHUNKS", Align::Right),
        ("CREATED", Align::Left),
        ("NAME", Align::Left),
    ];
    let row = |file: Summary| {
        vec![
            display::text(&file.file_id),
            display::size(file.file_size),
            file.chunk_count.to_string(),
            display::time(file.created_at.as_ref()),
            display::text(&file.file_name),
        ]
    };
    table::rows(&header, files.into_iter().map(row))
}
