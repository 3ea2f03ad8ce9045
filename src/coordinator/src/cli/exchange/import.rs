//! `coordinator import`.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use clap::Args;
use indicatif::ProgressBar;
use zephyrfs_postgres::Import;
use zephyrfs_raft::{Files, Importer};

use super::super::exit::CliError;
use super::super::output::Output;
use super::super::settings;
use super::{access, bar, is_pipe, refused};
use crate::config::{Config, ConfigArgs, DatabaseEngine};
use crate::dump_file::{DumpReader, Next, ReadError, Summary};

/// Read every row from a file of `coordinator export`, or from a backup, into a service that has none
///
/// The database must hold no rows, or the data directory no data, and no coordinator may run on it. What was read counts
/// only when all of it is there, read back and found equal. With the embedded engine this replica is then the only member of
/// a new cluster; others with empty data directories join it.
#[derive(Args)]
pub(crate) struct ImportCommand {
    /// Where from; - is stdin
    file: PathBuf,
    #[command(flatten)]
    config: ConfigArgs,
}

impl ImportCommand {
    /// Does it.
    ///
    /// # Errors
    /// `Config`; `Local` if the file cannot be read; `Refused` if its rows cannot be imported; `Output`.
    pub(crate) async fn run(&self, output: &mut Output<'_>) -> Result<(), CliError> {
        let loaded = settings::load(&self.config)?;
        let config = &loaded.config;
        let source = self.source()?;
        let (summary, what_next) = match config.database.engine {
            DatabaseEngine::Postgres => {
                let summary = into_postgres(config, source).await?;
                (summary, "start the instances".to_owned())
            }
            DatabaseEngine::Redb => into_replica(config, source)?,
        };
        let Summary { rows, digest, .. } = summary;
        output.text(&format!(
            "Imported {rows} rows.\n  digest  {digest}: what is read back is equal\n  next    {what_next}\n"
        ))
    }

    fn source(&self) -> Result<Source, CliError> {
        let unreadable =
            |error: io::Error| CliError::Local(format!("cannot read {}: {error}", self.file.display()));
        let (input, length, name): (Box<dyn Read>, u64, String) = if is_pipe(&self.file) {
            (Box::new(io::stdin()), 0, "stdin".to_owned())
        } else {
            let file = File::open(&self.file).map_err(unreadable)?;
            let length = file.metadata().map_err(unreadable)?.len();
            (Box::new(file), length, self.file.display().to_string())
        };
        Ok(Source {
            reader: DumpReader::begin(input, name).map_err(unread)?,
            bar: bar(
                length,
                "{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left {msg}",
            ),
        })
    }
}

/// Where rows come from, under a progress bar.
struct Source {
    reader: DumpReader<Box<dyn Read>>,
    bar: ProgressBar,
}

impl Source {
    fn next(&mut self) -> Result<Next, CliError> {
        let next = self.reader.next().map_err(unread)?;
        self.bar.set_position(self.reader.bytes());
        if matches!(next, Next::End(_)) {
            self.bar.set_message("reading back");
        }
        Ok(next)
    }
}

async fn into_postgres(config: &Config, mut source: Source) -> Result<Summary, CliError> {
    let mut import = Import::begin(&access(config)?).await.map_err(refused)?;
    let summary = loop {
        match source.next()? {
            Next::Row(row) => import.add(row).await.map_err(refused)?,
            Next::End(summary) => break summary,
        }
    };
    import.finish(summary.index).await.map_err(refused)?;
    source.bar.finish_and_clear();
    Ok(summary)
}

fn into_replica(config: &Config, mut source: Source) -> Result<(Summary, String), CliError> {
    let disk = Files::new(config.database_path()).map_err(refused)?;
    let mut importer = Importer::begin(disk).map_err(refused)?;
    let summary = loop {
        match source.next()? {
            Next::Row(row) => importer.add(row).map_err(refused)?,
            Next::End(summary) => break summary,
        }
    };
    let imported = importer
        .finish(summary.index, &settings::peer(config))
        .map_err(refused)?;
    source.bar.finish_and_clear();
    let next = format!(
        "start {}, the only member of the new cluster {}; others with empty data directories join it",
        config.cluster.name, imported.cluster_id
    );
    Ok((summary, next))
}

fn unread(error: ReadError) -> CliError {
    CliError::Local(error.to_string())
}
