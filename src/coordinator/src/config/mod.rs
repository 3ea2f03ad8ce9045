//! The configuration of a replica: built-in defaults, YAML file, profile, environment and flags, the later
//! wins.
//!
//! `table` lists all settings; `load` layers the sources into `sections::Config`, which is valid as a whole.
//! The rest reads one source each (`document`, `expand`, `args`), checks (`kind`, `checks`), or prints
//! (`print`, `error`). Called by the start of the program and by `coordinator config`; it opens nothing but
//! its file.

mod args;
mod checks;
mod document;
mod duration;
mod effective;
mod error;
mod expand;
mod host_port;
mod kind;
mod load;
mod nearest;
mod one_line;
mod password;
mod place;
mod print;
pub(crate) mod process;
mod secret;
mod sections;
mod setting;
mod single_dash;
mod table;
mod value;

#[cfg(test)]
mod tests;

pub(crate) use args::ConfigArgs;
pub(crate) use error::ConfigError;
pub(crate) use load::{Loaded, Sources, load};
pub(crate) use password::PasswordFileError;
pub(crate) use print::{effective_yaml, markdown_table};
pub(crate) use sections::{Config, DatabaseEngine, Log, LogFormat, LogLevel};
pub(crate) use single_dash::double_dashes;
