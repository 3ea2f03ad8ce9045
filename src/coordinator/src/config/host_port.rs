//! `host:port` addresses as operators write them. The host stays a text: it may be a DNS name that is
//! resolved again at each connection.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use serde::Deserialize;

/// The longest host name that DNS can carry, in bytes.
const MAX_HOST_LENGTH: usize = 253;

/// A host (DNS name, IPv4 or bracketed IPv6 address) and a port from 1 to 65535.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct HostPort(String);

/// The text is not a `host:port`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an address of the form host:port")]
pub(crate) struct InvalidHostPort;

impl FromStr for HostPort {
    type Err = InvalidHostPort;

    fn from_str(text: &str) -> Result<Self, InvalidHostPort> {
        let (host, port) = text.rsplit_once(':').ok_or(InvalidHostPort)?;
        let port_is_valid = port.bytes().all(|byte| byte.is_ascii_digit())
            && port.parse::<u16>().is_ok_and(|number| number != 0);
        let bracketed = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let host_is_valid = match bracketed {
            Some(inner) => inner.parse::<Ipv6Addr>().is_ok(),
            None => is_host_name(host),
        };
        if port_is_valid && host_is_valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidHostPort)
        }
    }
}

impl TryFrom<String> for HostPort {
    type Error = InvalidHostPort;

    fn try_from(text: String) -> Result<Self, InvalidHostPort> {
        text.parse()
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether `text` may stand as a host in an address (and, a replica's name being used as one, as a name).
pub(crate) fn is_host_name(text: &str) -> bool {
    text.len() <= MAX_HOST_LENGTH
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::HostPort;

    #[test]
    fn names_and_addresses_with_a_port_are_accepted_and_kept_as_written() {
        for text in [
            "coordinator-0.peers:8092",
            "127.0.0.1:1",
            "[::1]:65535",
            "my_host:8092",
        ] {
            assert_eq!(text.parse::<HostPort>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "host",
            "host:",
            ":8092",
            "host:0",
            "host:65536",
            "host:+80",
            "::1:8092",
            "[::1]",
            "[host]:1",
            "http://host:80",
            "user@host:80",
            "a b:80",
            "-x:80",
        ] {
            assert!(text.parse::<HostPort>().is_err(), "{text}");
        }
    }
}
