//! `coordinator export`.

use std::io::{self, Stdout};
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::ProgressBar;
use zephyrfs_core::Totals;
use zephyrfs_core::row::{NodeStatus, Row, TaskKind};
use zephyrfs_core::units::AppliedIndex;
use zephyrfs_postgres::Export;
use zephyrfs_raft::{Files, StoppedReplica, StoreError};

use super::super::exit::CliError;
use super::super::output::Output;
use super::super::{display, settings};
use super::{PIPE, access, bar, is_pipe, refused, refused_by};
use crate::config::{Config, ConfigArgs, DatabaseEngine};
use crate::dump_file::{DumpWriter, NamedDump, Summary, WriteError};

/// Write every row into a file that `coordinator import` reads, whatever the engine
///
/// Of the data that the server would use: in the directory of DATA_PATH, or in the PostgreSQL database of DATABASE_URL if that is
/// set. Over PostgreSQL, instances may go on: the file is of the state at the beginning. The embedded engine must be stopped; of
/// several replicas, export from the one whose log ends with the greatest term and index. `POST /api/v1/admin/database/backup`
/// writes such a file too, on a running replica.
#[derive(Args)]
pub(crate) struct ExportCommand {
    /// Where to; - is stdout
    file: PathBuf,
    #[command(flatten)]
    config: ConfigArgs,
}

impl ExportCommand {
    /// Does it.
    ///
    /// # Errors
    /// `Config`; `Refused` if the data cannot be exported; `Local` if the file cannot be written; `Output`.
    pub(crate) async fn run(&self, output: &mut Output<'_>) -> Result<(), CliError> {
        let loaded = settings::load(&self.config)?;
        let config = &loaded.config;
        let (place, summary) = match config.database.engine {
            DatabaseEngine::Postgres => self.of_database(config).await?,
            DatabaseEngine::Redb => self.of_replica(config, output)?,
        };
        let told = told(&place, &self.file, &summary);
        if is_pipe(&self.file) {
            output.note(told.trim_end());
            return Ok(());
        }
        output.text(&told)
    }

    async fn of_database(&self, config: &Config) -> Result<(String, Summary), CliError> {
        let access = access(config)?;
        let place = access.place().map_err(refused)?;
        let export = Export::begin(&access).await.map_err(refused_by(&place))?;
        let index = export.index();
        let mut sink = Sink::begin(&self.file, export.totals())?;
        let read = export.dump(&mut |row| sink.take(&row)).await;
        read.map_err(|error| refused(format_args!("{place}: {error}; nothing was exported")))?;
        let summary = sink.finish(index)?;
        Ok((place, summary))
    }

    fn of_replica(&self, config: &Config, output: &mut Output<'_>) -> Result<(String, Summary), CliError> {
        let path = config.database_path();
        // Looking for data makes no directory.
        if path.parent().is_some_and(|directory| !directory.exists()) {
            return Err(CliError::Refused(format!(
                "{} is not there, so there is nothing to export; set DATA_PATH as for the server",
                path.display()
            )));
        }
        let place = path.display().to_string();
        let disk = Files::new(path).map_err(refused)?;
        let replica = StoppedReplica::open(&disk).map_err(not_stopped)?;
        let others = match replica.others() {
            [] => String::new(),
            others => format!(
                "; if that of {} ends later, export from there instead",
                others.join(" or ")
            ),
        };
        output.note(&format!(
            "the log of {} ends at term {}, index {}{others}",
            replica.name(),
            replica.term(),
            replica.index()
        ));
        let mut sink = Sink::begin(&self.file, replica.totals())?;
        replica.dump(&mut |row| sink.take(&row)).map_err(refused)?;
        let summary = sink.finish(replica.index())?;
        Ok((place, summary))
    }
}

/// Where rows go, under a progress bar.
struct Sink {
    dump: Dump,
    bar: ProgressBar,
    failed: Option<WriteError>,
}

enum Dump {
    Named(Box<NamedDump>),
    Piped(Box<DumpWriter<Stdout>>),
}

impl Sink {
    fn begin(path: &Path, totals: &Totals) -> Result<Self, CliError> {
        let begun = if is_pipe(path) {
            DumpWriter::begin(io::stdout(), "stdout").map(|dump| Dump::Piped(Box::new(dump)))
        } else {
            NamedDump::create(path).map(|dump| Dump::Named(Box::new(dump)))
        };
        Ok(Self {
            dump: begun.map_err(|error| unwritten(&error))?,
            bar: bar(
                about_rows(totals),
                "{bar:40} {human_pos} of about {human_len} rows, {per_sec}",
            ),
            failed: None,
        })
    }

    /// Takes a row, and answers whether more may come.
    fn take(&mut self, row: &Row) -> bool {
        let taken = match &mut self.dump {
            Dump::Named(dump) => dump.add(row),
            Dump::Piped(dump) => dump.add(row),
        };
        self.bar.inc(1);
        self.failed = taken.err();
        self.failed.is_none()
    }

    fn finish(self, index: AppliedIndex) -> Result<Summary, CliError> {
        self.bar.finish_and_clear();
        if let Some(error) = self.failed {
            return Err(unwritten(&error));
        }
        let finished = match self.dump {
            Dump::Named(dump) => dump.finish(index),
            Dump::Piped(dump) => dump.finish(index).map(|(_, summary)| summary),
        };
        finished.map_err(|error| unwritten(&error))
    }
}

/// Also of a reader that went away: what it has is no dump, and whoever relies on it must learn that.
fn unwritten(error: &WriteError) -> CliError {
    CliError::Local(match error {
        WriteError::NotDurable { .. } => error.to_string(),
        _ => format!("{error}; nothing was exported"),
    })
}

fn not_stopped(error: StoreError) -> CliError {
    if matches!(error, StoreError::Locked { .. }) {
        return refused(format_args!(
            "{error}. A running coordinator writes such a file itself (POST /api/v1/admin/database/backup); an import has to end first"
        ));
    }
    refused(error)
}

/// How many rows there are, but for those that nobody counts.
fn about_rows(totals: &Totals) -> u64 {
    let nodes: u64 = NodeStatus::ALL
        .iter()
        .map(|status| totals.nodes_with(*status))
        .sum();
    let tasks: u64 = TaskKind::ALL.iter().map(|kind| totals.tasks_of(*kind)).sum();
    2 * nodes + totals.files + totals.chunks + totals.unreferenced_chunks + tasks
}

fn told(place: &str, path: &Path, summary: &Summary) -> String {
    let Summary {
        rows,
        index,
        digest,
        bytes,
    } = summary;
    let to = if path.as_os_str() == PIPE {
        "stdout".to_owned()
    } else {
        path.display().to_string()
    };
    let size = display::size(i64::try_from(*bytes).unwrap_or(i64::MAX));
    format!(
        "Exported {rows} rows of {place} to {to}.\n  size    {size}\n  index   {index}\n  digest  {digest}\n"
    )
}
