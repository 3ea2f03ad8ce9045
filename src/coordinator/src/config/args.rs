//! The command line flags that configure a replica. They are made from the table of settings, and their
//! values stay texts: `load` checks them as it checks the same settings from elsewhere.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, FromArgMatches, builder::ValueParser, value_parser};

use super::setting::Setting;
use super::table::SETTINGS;

const HEADING: &str = "Configuration";
const FILE: &str = "config";
const PROFILE: &str = "profile";
const ASSIGNMENT: &str = "set";

/// The flags as given. Of a flag that is given twice the last counts, so that a wrapper's flags can be
/// overridden. Not `Debug`: an assignment may hold a password.
#[derive(Default)]
pub(crate) struct ConfigArgs {
    /// `--config`: the configuration file.
    pub(crate) file: Option<PathBuf>,
    /// `--profile`: the overlay to apply.
    pub(crate) profile: Option<String>,
    /// The flags of settings: setting, flag without dashes, text.
    pub(crate) flags: Vec<(&'static Setting, &'static str, String)>,
    /// `--set KEY=VALUE`, in order; these win over the other flags.
    pub(crate) assignments: Vec<String>,
}

/// The names of all flags of this kind, without dashes.
pub(crate) fn flag_names() -> impl Iterator<Item = &'static str> {
    [FILE, PROFILE, ASSIGNMENT]
        .into_iter()
        .chain(SETTINGS.iter().filter_map(|setting| setting.flag))
}

impl clap::Args for ConfigArgs {
    fn augment_args(command: Command) -> Command {
        let command = command
            .arg(
                option(FILE, "FILE", value_parser!(PathBuf))
                    .overrides_with(FILE)
                    .help("Configuration file [env: CONFIG_PATH] [default: config.yaml, if it exists]"),
            )
            .arg(
                option(PROFILE, "NAME", ValueParser::string())
                    .overrides_with(PROFILE)
                    .help("Overlay of the configuration file to apply, such as dev or prod"),
            )
            .arg(
                option(ASSIGNMENT, "KEY=VALUE", ValueParser::string())
                    .action(ArgAction::Append)
                    .help(
                        "Set any key of the configuration, such as grpc.max_message_size=8388608; repeatable",
                    ),
            );
        flagged_settings().fold(command, |command, (setting, flag)| {
            let arg = option(flag, "VALUE", ValueParser::string()).overrides_with(flag);
            command.arg(arg.help(help(setting)))
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for ConfigArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let flags = flagged_settings().filter_map(|(setting, flag)| {
            matches
                .get_one::<String>(flag)
                .map(|text| (setting, flag, text.clone()))
        });
        Ok(Self {
            file: matches.get_one::<PathBuf>(FILE).cloned(),
            profile: matches.get_one::<String>(PROFILE).cloned(),
            flags: flags.collect(),
            assignments: matches
                .get_many::<String>(ASSIGNMENT)
                .unwrap_or_default()
                .cloned()
                .collect(),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

fn flagged_settings() -> impl Iterator<Item = (&'static Setting, &'static str)> {
    SETTINGS
        .iter()
        .filter_map(|setting| setting.flag.map(|flag| (setting, flag)))
}

fn option(name: &'static str, value_name: &'static str, parser: ValueParser) -> Arg {
    Arg::new(name)
        .long(name)
        .value_name(value_name)
        .value_parser(parser)
        .help_heading(HEADING)
}

fn help(setting: &Setting) -> String {
    let env = setting
        .env
        .map(|variable| format!(" [env: {variable}]"))
        .unwrap_or_default();
    format!("{}: {}{env}", setting.key, setting.meaning)
}
