//! How connections are made.

use std::io;
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _};

use crate::error::StoreError;
use crate::options::Options;

/// A connection is given up when it takes longer than this to be made.
const CONNECT: Duration = Duration::from_secs(5);

/// What each connection is told first. One that a database does not know is left out.
const SETTINGS: [&str; 8] = [
    // A plan that was made while a table was empty would otherwise read all of it for ever.
    "SET enable_seqscan = off",
    // The same of joins: rows are looked up by their keys, one by one, however few the server believes there are.
    "SET enable_hashjoin = off",
    "SET enable_mergejoin = off",
    // Statements are few and find rows by their keys: one plan for each will do, instead of one for each list of keys.
    "SET plan_cache_mode = force_generic_plan",
    "SET jit = off",
    // Statements are short: starting others to help with them takes longer than they save.
    "SET max_parallel_workers_per_gather = 0",
    // Who waits for a row longer than this may be waiting for somebody who waits for him: giving way and trying again is quicker
    // than the server's own search for deadlocks.
    "SET lock_timeout = '250ms'",
    "SET idle_in_transaction_session_timeout = '30s'",
];

/// Why the URL will not do. It never shows the URL, which holds a password.
#[derive(Debug, thiserror::Error)]
pub enum UrlError {
    /// It is split where a password was meant to go on, of which nothing may be shown.
    #[error(
        "database.url is not understood: write %2F for /, %3F for ?, %23 for #, %40 for @, %26 for & and %25 for % in the user \
         name, the password and what comes after the ?, or set DATABASE_PASSWORD instead"
    )]
    Ambiguous,
    /// It is none.
    #[error("database.url is not a PostgreSQL URL such as postgres://user:password@host:5432/database: {0}")]
    Malformed(String),
    /// A word that is none of those that there are.
    #[error("sslmode in {0} is none of disable, allow, prefer, require, verify-ca and verify-full")]
    SslMode(&'static str),
    /// It has a parameter that means nothing here.
    #[error(
        "database.url has the parameter {0}, which means nothing here; there are sslmode, sslrootcert, sslcert and sslkey"
    )]
    UnknownParameter(String),
}

/// The parameters of a URL that mean something. The library logs others with their values, which may be secrets.
const PARAMETERS: [&str; 15] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
];

/// Whether a URL has an `@` behind the name of the server, which nothing there is called by: then the name ended too early, in the
/// middle of a password.
fn is_ambiguous(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    rest[end..].contains('@')
}

const SSL_MODES: [&str; 6] = [
    "disable",
    "allow",
    "prefer",
    "require",
    "verify-ca",
    "verify-full",
];

/// The names of a URL's parameters, with what each is set to.
fn parameters(url: &str) -> impl Iterator<Item = (&str, &str)> {
    let (_, parameters) = url.split_once('?').unwrap_or_default();
    parameters
        .split('&')
        .map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")))
}

/// The first parameter that means nothing.
fn unknown_parameter(url: &str) -> Option<String> {
    let names = parameters(url).map(|(name, _)| name);
    let mut unknown = names.filter(|name| !name.is_empty() && !PARAMETERS.contains(name));
    Some(
        unknown
            .next()?
            .chars()
            .filter(char::is_ascii_graphic)
            .take(40)
            .collect(),
    )
}

/// Where a mode of TLS is misspelt: in the URL, or in the variable that counts without one there. The library takes such a variable
/// for none, and encrypts only if the server likes.
fn unknown_ssl_mode(url: &str, variable: Option<&str>) -> Option<&'static str> {
    let is_unknown = |mode: &str| !SSL_MODES.contains(&&*mode.to_ascii_lowercase());
    let of_mode = |name: &str| matches!(name, "sslmode" | "ssl-mode");
    let modes: Vec<&str> = parameters(url)
        .filter(|(name, _)| of_mode(name))
        .map(|(_, mode)| mode)
        .collect();
    if modes.is_empty() {
        return variable.filter(|mode| is_unknown(mode)).map(|_| "PGSSLMODE");
    }
    modes.into_iter().any(is_unknown).then_some("database.url")
}

/// What an engine's options say of how to connect.
///
/// # Errors
/// [`UrlError`].
pub(crate) fn options(options: &Options) -> Result<PgConnectOptions, UrlError> {
    from_url(&options.url, options.password.as_deref(), &options.name)
}

/// What a URL says of how to connect; `name` is what the server shows of who it is.
///
/// # Errors
/// [`UrlError`].
pub(crate) fn from_url(url: &str, password: Option<&str>, name: &str) -> Result<PgConnectOptions, UrlError> {
    if is_ambiguous(url) {
        return Err(UrlError::Ambiguous);
    }
    if let Some(name) = unknown_parameter(url) {
        // A password with an ampersand in it goes on as a parameter.
        return Err(match url.contains("password=") {
            true => UrlError::Ambiguous,
            false => UrlError::UnknownParameter(name),
        });
    }
    let variable = std::env::var("PGSSLMODE").ok();
    if let Some(place) = unknown_ssl_mode(url, variable.as_deref()) {
        return Err(UrlError::SslMode(place));
    }
    let mut connect =
        PgConnectOptions::from_str(url).map_err(|error| UrlError::Malformed(plainly(&error)))?;
    if let Some(password) = password {
        connect = connect.password(password);
    }
    let name: String = name.chars().filter(char::is_ascii_graphic).take(40).collect();
    Ok(connect
        .application_name(&format!("zephyrfs-coordinator {name}"))
        .disable_statement_logging())
}

/// Where a URL points, without any secret: "PostgreSQL at db:5432/zephyrfs".
///
/// # Errors
/// [`UrlError`].
pub fn place(url: &str) -> Result<String, UrlError> {
    let options = from_url(url, None, "")?;
    let database = options.get_database().unwrap_or_else(|| options.get_username());
    Ok(match options.get_socket() {
        Some(socket) => format!("PostgreSQL at {}, database {database}", socket.display()),
        None => format!(
            "PostgreSQL at {}:{}/{database}",
            options.get_host(),
            options.get_port()
        ),
    })
}

/// An error of reading the URL, without any part of it.
fn plainly(error: &sqlx::Error) -> String {
    let sqlx::Error::Configuration(cause) = error else {
        return "it cannot be read".to_owned();
    };
    // Its own words are about the form alone; what they might quote is left out.
    let words = cause.to_string();
    if words.contains(['@', '/', '"', '\'', '`']) {
        "it cannot be read".to_owned()
    } else {
        words
    }
}

/// A connection of one's own.
///
/// # Errors
/// The database's.
pub(crate) async fn connect(
    connect: &PgConnectOptions,
    statements: Duration,
) -> Result<PgConnection, StoreError> {
    let connecting = async {
        let connected = connect.connect().await;
        let mut connection = connected.map_err(|error| why_none(connect, error))?;
        prepare(&mut connection, statements).await?;
        Ok(connection)
    };
    match tokio::time::timeout(CONNECT, connecting).await {
        Ok(connected) => connected,
        Err(_) => Err(StoreError::Gone(format!(
            "no connection within {} s",
            CONNECT.as_secs()
        ))),
    }
}

/// Why there is no connection. The library tells of certificates as it tells of a broken line; but they stay as they are however
/// long one waits.
fn why_none(connect: &PgConnectOptions, error: sqlx::Error) -> StoreError {
    let is_on_network = connect.get_socket().is_none() && !connect.get_host().starts_with('/');
    match &error {
        sqlx::Error::Io(cause) if cause.kind() == io::ErrorKind::InvalidData => {
            StoreError::Tls(cause.to_string())
        }
        // A server on the network is not found otherwise: this is a file, of which no other is read.
        sqlx::Error::Io(cause) if is_on_network && cause.kind() == io::ErrorKind::NotFound => {
            StoreError::Tls(format!("a certificate or key that database.url names: {cause}"))
        }
        sqlx::Error::Database(cause) if is_about_settings(cause.code().as_deref()) => {
            StoreError::Other(cause.message().to_owned())
        }
        _ => error.into(),
    }
}

/// Whether a connection is refused for something that was set wrong, here or for the database: an unknown parameter, a value, a
/// library that is not there. When a server ends a connection that was there, the same codes may mean other things.
fn is_about_settings(code: Option<&str>) -> bool {
    // Among them a file that is not there.
    let begins = ["0A", "22", "42", "58P01"];
    code.is_some_and(|code| code != "42501" && begins.iter().any(|begin| code.starts_with(begin)))
}

async fn prepare(connection: &mut PgConnection, statements: Duration) -> Result<(), sqlx::Error> {
    let timeout = format!("SET statement_timeout = {}", statements.as_millis());
    connection.execute(AssertSqlSafe(timeout)).await?;
    for setting in SETTINGS {
        match connection.execute(setting).await {
            Ok(_) => {}
            // Unknown here, and nothing that answers depend on.
            Err(sqlx::Error::Database(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{UrlError, place, unknown_ssl_mode};

    #[test]
    fn a_misspelt_mode_of_tls_is_named() {
        for mode in ["verify-ful", "hunter2", ""] {
            let error = place(&format!("postgres://u:p@h/db?sslmode={mode}")).unwrap_err();
            assert!(matches!(error, UrlError::SslMode("database.url")), "{error}");
        }
        for mode in ["verify-full", "Require", "disable"] {
            assert!(place(&format!("postgres://u:p@h/db?sslmode={mode}")).is_ok());
        }
        let without = "postgres://u:p@h/db?host=h2";
        assert_eq!(unknown_ssl_mode(without, Some("verify-ful")), Some("PGSSLMODE"));
        assert_eq!(unknown_ssl_mode(without, Some("verify-full")), None);
        assert_eq!(unknown_ssl_mode(without, None), None);
        let with = "postgres://u:p@h/db?sslmode=require";
        assert_eq!(
            unknown_ssl_mode(with, Some("verify-ful")),
            None,
            "it does not count"
        );
    }

    #[test]
    fn no_part_of_a_password_is_shown_that_is_not_written_as_it_must_be() {
        for url in [
            "postgres://user:12/hunter2@host/db",
            "postgres://user:12#hunter2@host/db",
            "postgres://user:12?hunter2@host/db",
            "postgres://user:12?hunter2&34@host/db",
            "postgres://user:12@34/hunter2@host/db",
            "postgres://user:12?hunter2=34@host/db",
            "postgres://user@host/db?password=12&hunter2",
        ] {
            let error = place(url).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
            assert!(error.contains("write %2F for /"), "{error}");
        }
        let written = "postgres://user:12%2F%3F%40@db:5433/zephyrfs?sslmode=require";
        assert_eq!(place(written).unwrap(), "PostgreSQL at db:5433/zephyrfs");
    }
}
