//! The kinds of settings: what each accepts, and how that is put into words for an error.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::Value as Json;

use super::duration;
use super::host_port::{HostPort, is_host_name};
use super::secret::Secret;
use super::value::Value;

/// What a setting accepts. Limits are inclusive.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// `true` or `false`; as text also `yes`, `no`, `on`, `off`.
    Switch,
    /// A TCP port; 0 lets the system pick a free one.
    Port,
    /// A whole number.
    Count {
        /// The least.
        min: u64,
        /// The most.
        max: u64,
    },
    /// A number of bytes.
    Bytes {
        /// The least.
        min: u64,
        /// The most.
        max: u64,
    },
    /// A fraction.
    Ratio {
        /// The least.
        min: f64,
        /// The most.
        max: f64,
    },
    /// A span of time.
    Time {
        /// The least.
        min: Duration,
        /// The most.
        max: Duration,
    },
    /// A path of the file system.
    Path,
    /// A name that may also stand as a host in an address.
    Name,
    /// A secret PostgreSQL URL.
    DatabaseUrl,
    /// A secret text.
    Password,
    /// One of a few words: each accepted one with the one it means.
    Choice(&'static [(&'static str, &'static str)]),
    /// One `host:port`.
    Address,
    /// Several `host:port`, as a YAML list or between commas.
    Addresses,
    /// Origins for CORS, as a YAML list or between commas: `*` alone, or `scheme://host[:port]`.
    Origins,
}

impl Kind {
    /// Whether values must not be shown.
    pub(crate) fn is_secret(&self) -> bool {
        matches!(self, Self::DatabaseUrl | Self::Password)
    }

    /// Whether a value has several items, so that none at all is a value too.
    pub(crate) fn is_list(&self) -> bool {
        matches!(self, Self::Addresses | Self::Origins)
    }

    /// The valid value that a value of a YAML file stands for.
    pub(crate) fn read(&self, raw: &Json) -> Option<Value> {
        match raw {
            Json::String(text) => self.parse(text),
            Json::Bool(on) => matches!(self, Self::Switch).then_some(Value::Switch(*on)),
            Json::Number(number) => match (self.whole_limits(), self.ratio_limits()) {
                (Some(limits), _) => whole(&limits, number.as_u64()?),
                (None, Some(limits)) => ratio(&limits, number.as_f64()?),
                (None, None) => None,
            },
            Json::Array(items) => {
                let texts: Option<Vec<&str>> = items.iter().map(Json::as_str).collect();
                self.list(texts?.into_iter().flat_map(|text| text.split(',')))
            }
            Json::Null | Json::Object(_) => None,
        }
    }

    /// The valid value that a text stands for, as in the environment or on the command line.
    pub(crate) fn parse(&self, text: &str) -> Option<Value> {
        let text = text.trim();
        let is_plain = !text.is_empty() && !text.chars().any(char::is_control);
        match self {
            Self::Switch => switch(text).map(Value::Switch),
            Self::Port | Self::Count { .. } | Self::Bytes { .. } => {
                whole(&self.whole_limits()?, text.parse().ok()?)
            }
            Self::Ratio { min, max } => ratio(&(*min..=*max), text.parse().ok()?),
            Self::Time { min, max } => {
                let span = duration::parse(text)?;
                (*min..=*max).contains(&span).then_some(Value::Duration(span))
            }
            Self::Path => is_plain.then(|| Value::Text(text.to_owned())),
            Self::Name => is_host_name(text).then(|| Value::Text(text.to_owned())),
            Self::DatabaseUrl => is_database_url(text).then(|| Value::Secret(Secret::new(text.to_owned()))),
            Self::Password => is_plain.then(|| Value::Secret(Secret::new(text.to_owned()))),
            Self::Choice(words) => {
                let (_, meant) = words
                    .iter()
                    .find(|(accepted, _)| accepted.eq_ignore_ascii_case(text))?;
                Some(Value::Text((*meant).to_owned()))
            }
            Self::Address => text
                .parse::<HostPort>()
                .ok()
                .map(|address| Value::Text(address.to_string())),
            Self::Addresses | Self::Origins => self.list(text.split(',')),
        }
    }

    /// What is accepted, to follow "must be".
    pub(crate) fn expected(&self) -> String {
        match self {
            Self::Switch => "true or false".to_owned(),
            Self::Port => "a port from 0 to 65535 (0 picks a free one)".to_owned(),
            Self::Count { min, max } => format!("a whole number from {min} to {max}"),
            Self::Bytes { min, max } => format!("a whole number of bytes from {min} to {max}"),
            Self::Ratio { min, max } => format!("a number from {min} to {max}"),
            Self::Time { min, max } => format!(
                "a duration such as 250ms, 10s or 1h30m, from {} to {}",
                duration::to_text(*min),
                duration::to_text(*max)
            ),
            Self::Path => "a path".to_owned(),
            Self::Name => {
                "a name of at most 253 letters, digits, dots, dashes and underscores that starts with a letter or a digit"
                    .to_owned()
            }
            Self::DatabaseUrl => "a URL such as postgres://user:password@host:5432/database".to_owned(),
            Self::Password => "a password without line breaks".to_owned(),
            Self::Choice(words) => one_of(words),
            Self::Address => "an address such as coordinator-0.peers:8092".to_owned(),
            Self::Addresses => {
                "addresses such as coordinator-0.peers:8092,coordinator-1.peers:8092".to_owned()
            }
            Self::Origins => "`*` alone, or origins such as https://console.example.org".to_owned(),
        }
    }

    fn whole_limits(&self) -> Option<RangeInclusive<u64>> {
        match self {
            Self::Port => Some(0..=u64::from(u16::MAX)),
            Self::Count { min, max } | Self::Bytes { min, max } => Some(*min..=*max),
            Self::Switch | Self::Ratio { .. } | Self::Time { .. } | Self::Path | Self::Name => None,
            Self::DatabaseUrl | Self::Password | Self::Choice(_) | Self::Address | Self::Addresses => None,
            Self::Origins => None,
        }
    }

    fn ratio_limits(&self) -> Option<RangeInclusive<f64>> {
        if let Self::Ratio { min, max } = self {
            Some(*min..=*max)
        } else {
            None
        }
    }

    fn list<'t>(&self, items: impl Iterator<Item = &'t str>) -> Option<Value> {
        let items: Vec<String> = items.map(|item| item.trim().to_owned()).collect();
        let valid = match self {
            Self::Addresses => items.iter().all(|item| item.parse::<HostPort>().is_ok()),
            Self::Origins => items == ["*"] || items.iter().all(|item| is_origin(item)),
            Self::Switch | Self::Port | Self::Count { .. } | Self::Bytes { .. } | Self::Ratio { .. } => false,
            Self::Time { .. } | Self::Path | Self::Name => false,
            Self::DatabaseUrl | Self::Password | Self::Choice(_) | Self::Address => false,
        };
        valid.then_some(Value::List(items))
    }
}

fn whole(limits: &RangeInclusive<u64>, number: u64) -> Option<Value> {
    limits.contains(&number).then_some(Value::Whole(number))
}

fn ratio(limits: &RangeInclusive<f64>, number: f64) -> Option<Value> {
    limits.contains(&number).then_some(Value::Ratio(number))
}

fn switch(text: &str) -> Option<bool> {
    let is = |word: &&str| text.eq_ignore_ascii_case(word);
    if ["true", "yes", "on"].iter().any(is) {
        Some(true)
    } else if ["false", "no", "off"].iter().any(is) {
        Some(false)
    } else {
        None
    }
}

fn is_database_url(text: &str) -> bool {
    let rest = text
        .strip_prefix("postgres://")
        .or_else(|| text.strip_prefix("postgresql://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(|c: char| c.is_control() || c.is_whitespace()))
}

fn is_origin(text: &str) -> bool {
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| {
        !host.is_empty()
            && host
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'/' | b'*'))
    })
}

fn one_of(words: &[(&str, &str)]) -> String {
    let accepted: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    match accepted.split_last() {
        Some((last, [])) => (*last).to_owned(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}
