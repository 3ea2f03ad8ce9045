//! `coordinator import`.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use clap::Args;
use indicatif::ProgressBar;
use zephyrfs_postgres::{ExchangeError, Import};
use zephyrfs_raft::{Files, Importer};

use super::super::exit::CliError;
use super::super::output::Output;
use super::super::settings;
use super::{access, bar, is_pipe, refused, refused_by};
use crate::config::{Config, ConfigArgs, DatabaseEngine};
use crate::dump_file::{DumpReader, Next, ReadError, Summary};

/// Read every row from a file of `coordinator export`, or from a backup, into a service that has none
///
/// Into what the server would use: the directory of DATA_PATH, which must hold no data, or the PostgreSQL database of DATABASE_URL
/// if that is set, which must hold no rows. No coordinator may run on it. What was read counts only when all of it is there, read
/// back and found equal; until then no coordinator starts on it, and an import that was cut short is run again. With the embedded
/// engine this replica is then the only member of a new cluster; others with empty data directories join it.
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
        let Imported {
            summary: Summary { rows, digest, .. },
            place,
            what_next,
        } = match config.database.engine {
            DatabaseEngine::Postgres => into_postgres(config, source, output).await?,
            DatabaseEngine::Redb => into_replica(config, source)?,
        };
        output.text(&format!(
            "Imported {rows} rows into {place}.\n  digest  {digest}: what is read back is equal\n  next    {what_next}\n"
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
            reader: DumpReader::begin(input, name).map_err(|error| unread(&error))?,
            bar: bar(
                length,
                "{bar:40} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left {msg}",
            ),
        })
    }
}

/// What was done.
struct Imported {
    summary: Summary,
    /// Where to.
    place: String,
    what_next: String,
}

/// Where rows come from, under a progress bar.
struct Source {
    reader: DumpReader<Box<dyn Read>>,
    bar: ProgressBar,
}

impl Source {
    fn next(&mut self) -> Result<Next, CliError> {
        let next = self.reader.next().map_err(|error| {
            CliError::Local(format!(
                "{error}. Nothing of it counts, and no coordinator starts on what is there of it: the next import starts over"
            ))
        })?;
        self.bar.set_position(self.reader.bytes());
        if matches!(next, Next::End(_)) {
            self.bar.set_message("reading back");
        }
        Ok(next)
    }
}

async fn into_postgres(
    config: &Config,
    mut source: Source,
    output: &mut Output<'_>,
) -> Result<Imported, CliError> {
    let access = access(config)?;
    let place = access.place().map_err(refused)?;
    let mut import = Import::begin(&access).await.map_err(refused_by(&place))?;
    if import.starts_over() {
        output.note("an import was cut short here; what it left is deleted");
    }
    let summary = loop {
        match source.next()? {
            Next::Row(row) => import.add(row).await.map_err(cut_short(&place))?,
            Next::End(summary) => break summary,
        }
    };
    let unanalyzed = import.finish(summary.index).await.map_err(cut_short(&place))?;
    source.bar.finish_and_clear();
    if let Some(reason) = unanalyzed {
        output.note(&format!(
            "the database did not look at the new rows ({reason}); it plans better after ANALYZE"
        ));
    }
    Ok(Imported {
        summary,
        place,
        what_next: "start the instances".to_owned(),
    })
}

fn into_replica(config: &Config, mut source: Source) -> Result<Imported, CliError> {
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
    let what_next = format!(
        "start this replica, the only member of the new cluster {}; others with empty data directories join it",
        imported.cluster_id
    );
    Ok(Imported {
        summary,
        place: config.database_path().display().to_string(),
        what_next,
    })
}

/// Why an import did not come to its end, and what to do about it.
fn cut_short(place: &str) -> impl Fn(ExchangeError) -> CliError {
    move |error| match error {
        ExchangeError::Database(_) => refused(format_args!(
            "{place}: {error}. Nothing that was imported counts: run `coordinator import` again, which starts over"
        )),
        error => refused_by(place)(error),
    }
}

fn unread(error: &ReadError) -> CliError {
    CliError::Local(error.to_string())
}
