//! PostgreSQL servers for tests: a new one in a directory of its own, gone with the process that started it.

#![allow(clippy::expect_used, reason = "a server that does not start is a failed test")]

mod disk;
mod tls;

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub use disk::SmallDisk;

/// How long a server may take to start or to stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// The superuser of every server.
const USER: &str = "coordinator";

/// A server. It stops when this is dropped, and also when the process ends.
pub struct Server {
    dir: PathBuf,
    programs: PathBuf,
    port: u16,
    settings: Vec<String>,
    running: Option<Child>,
}

impl Server {
    /// Starts one on a free port of this machine, with further settings such as `fsync=off`.
    ///
    /// # Panics
    /// If there is no PostgreSQL on this machine, or it does not start: a failed test.
    pub fn start(settings: &[&str]) -> Self {
        Self::make(settings, &[])
    }

    /// Starts one that keeps its write-ahead log in another directory, in small pieces.
    ///
    /// # Panics
    /// As [`Server::start`].
    pub fn start_with_log_at(directory: &Path, settings: &[&str]) -> Self {
        let directory = directory.display().to_string();
        Self::make(settings, &["--waldir", &directory, "--wal-segsize=1"])
    }

    fn make(settings: &[&str], of_initdb: &[&str]) -> Self {
        let programs = programs();
        let dir = std::env::temp_dir().join(format!("coordinator-postgres-{:x}", rand::random::<u64>()));
        std::fs::create_dir(&dir).expect("a directory for the server");
        let mut own = vec![
            "listen_addresses=127.0.0.1".to_owned(),
            "unix_socket_directories=".to_owned(),
        ];
        own.extend(settings.iter().map(|setting| (*setting).to_owned()));
        let mut server = Self {
            dir,
            programs,
            port: free_port(),
            settings: own,
            running: None,
        };
        give_to_server(&server.dir);
        let made = server
            .program("initdb")
            .args([
                "-D",
                &server.data(),
                "-U",
                USER,
                "--auth=trust",
                "--no-sync",
                "-E",
                "UTF8",
                "--no-locale",
            ])
            .args(of_initdb)
            .output()
            .expect("initdb runs");
        assert!(
            made.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&made.stderr)
        );
        server.run();
        server
    }

    /// Starts it again after [`Server::kill`].
    ///
    /// # Panics
    /// If it does not start.
    pub fn run(&mut self) {
        let settings: String = self
            .settings
            .iter()
            .map(|setting| format!(" -c {setting}"))
            .collect();
        // The shell ends the server when its own input ends: however this process ends, that happens.
        let script = format!(
            "'{programs}/postgres' -D '{data}' -p {port}{settings} </dev/null & server=$!; end=$(cat); \
             kill -QUIT $server; wait $server; [ \"$end\" = keep ] || rm -rf '{dir}'",
            programs = self.programs.display(),
            data = self.data(),
            dir = self.dir.display(),
            port = self.port
        );
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.dir.join("log"))
            .expect("the server's log");
        let child = self
            .program_at("/bin/sh")
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the server starts");
        self.running = Some(child);
        let begun = Instant::now();
        while !self.answers() {
            assert!(
                begun.elapsed() < PATIENCE,
                "the server does not answer:\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn answers(&self) -> bool {
        let asked = self
            .program("pg_isready")
            .args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()])
            .status();
        asked.is_ok_and(|status| status.success())
    }

    /// Ends it at once, as a power cut of the server alone would: connections break, and nothing is written down.
    pub fn kill(&mut self) {
        if let Some(mut shell) = self.running.take() {
            // Its directory is needed again.
            if let Some(mut input) = shell.stdin.take() {
                let _told = input.write_all(b"keep");
            }
            // Its end is the end of the server.
            let _ended = shell.wait();
        }
    }

    /// Where it is found, for a database of this name, which is made if there is none.
    ///
    /// # Panics
    /// If the database cannot be made.
    pub fn url(&self, database: &str) -> String {
        let known = self.sql(
            "postgres",
            &format!("SELECT 1 FROM pg_database WHERE datname = '{database}'"),
        );
        if known.expect("the server answers").is_empty() {
            self.sql("postgres", &format!("CREATE DATABASE {database}"))
                .expect("a database");
        }
        format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    /// What `psql` answers to a statement in a database, a line for each row.
    ///
    /// # Errors
    /// What it complains of.
    pub fn sql(&self, database: &str, statement: &str) -> Result<String, String> {
        let output = self
            .program("psql")
            .args([
                "-qAt",
                "-v",
                "ON_ERROR_STOP=1",
                "-h",
                "127.0.0.1",
                "-p",
                &self.port.to_string(),
            ])
            .args(["-U", USER, "-d", database, "-c", statement])
            .output()
            .map_err(|error| error.to_string())?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// From now on everybody but its superuser has to give a password.
    ///
    /// # Panics
    /// If its files cannot be written.
    pub fn ask_for_passwords(&self) {
        let rules = format!("host all {USER} 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n");
        std::fs::write(self.dir.join("data/pg_hba.conf"), rules).expect("the server's rules of access");
        self.read_settings_anew();
    }

    fn read_settings_anew(&self) {
        let read_at = || {
            let asked = self.sql("postgres", "SELECT pg_conf_load_time()");
            asked.expect("the server answers")
        };
        let (before, begun) = (read_at(), Instant::now());
        self.sql("postgres", "SELECT pg_reload_conf()")
            .expect("the server answers");
        while read_at() == before {
            assert!(
                begun.elapsed() < PATIENCE,
                "the server does not read its rules anew"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The port it listens on.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The directory of its programs.
    pub fn programs(&self) -> &Path {
        &self.programs
    }

    /// What it logged.
    pub fn log(&self) -> String {
        let mut text = String::new();
        if let Ok(mut log) = std::fs::File::open(self.dir.join("log")) {
            let _read = log.read_to_string(&mut text);
        }
        text
    }

    fn data(&self) -> String {
        self.dir.join("data").display().to_string()
    }

    fn program(&self, name: &str) -> Command {
        self.program_at(&self.programs.join(name).display().to_string())
    }

    /// PostgreSQL refuses to run as root; then it runs as the user that its package made.
    fn program_at(&self, path: &str) -> Command {
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command
                .args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"])
                .arg(path);
            command
        } else {
            Command::new(path)
        };
        command.current_dir(&self.dir);
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let _removed = std::fs::remove_dir_all(&self.dir);
    }
}

/// Lets a server write in a directory, whoever it runs as.
fn give_to_server(directory: &Path) {
    if is_root() {
        let owned = Command::new("chown")
            .arg("postgres:postgres")
            .arg(directory)
            .status();
        assert!(
            owned.is_ok_and(|status| status.success()),
            "there is no user postgres: install PostgreSQL's package"
        );
    }
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

/// The newest server that Debian's packages installed, or the one on the path.
fn programs() -> PathBuf {
    let installed = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let newest = installed
        .filter_map(|entry| {
            let version: u32 = entry.file_name().to_str()?.parse().ok()?;
            let programs = entry.path().join("bin");
            programs.join("postgres").exists().then_some((version, programs))
        })
        .max();
    if let Some((_, programs)) = newest {
        return programs;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .find(|dir| dir.join("initdb").exists())
        .expect("PostgreSQL's server is installed")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its number").port()
}
