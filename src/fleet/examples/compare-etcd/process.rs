//! One member's process: started with exactly the environment it is given, its output in a file, measured, hurt, and
//! always ended.

use std::fs::{self, OpenOptions};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::param::clock_ticks_per_second;
use rustix::process::{Pid, Signal, kill_process};

use crate::error::CompareError;

/// How many of the last lines of a log are shown.
const LOG_LINES: usize = 10;

/// How a member is started.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    /// All of it: nothing of the caller's own settings may change what is measured.
    pub(crate) environment: Vec<(String, String)>,
    /// Where it runs.
    pub(crate) folder: PathBuf,
}

/// A process that runs, hangs, or has ended. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Process(Child);

impl Launch {
    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    pub(crate) fn start(&self) -> Result<Process, CompareError> {
        fs::create_dir_all(&self.folder)
            .map_err(CompareError::io(format!("make {}", self.folder.display())))?;
        let open = || OpenOptions::new().create(true).append(true).open(self.log());
        let log = || open().map_err(CompareError::io(format!("write {}", self.log().display())));
        Command::new(&self.program)
            .args(&self.arguments)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(log()?)
            .stderr(log()?)
            .spawn()
            .map(Process)
            .map_err(CompareError::io(format!("start {}", self.program.display())))
    }

    /// The end of what it wrote, for an error message.
    pub(crate) fn last_lines(&self) -> String {
        let text = fs::read(self.log()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }
}

impl Process {
    pub(crate) fn signal(&self, signal: Signal) -> Result<(), CompareError> {
        let id = self.0.id();
        let pid = i32::try_from(id)
            .ok()
            .and_then(Pid::from_raw)
            .ok_or_else(|| CompareError::Process(format!("{id} is no process id")))?;
        kill_process(pid, signal).map_err(|error| CompareError::Io {
            what: format!("signal process {id}"),
            source: error.into(),
        })
    }

    /// What it has used of the processors so far, in user and kernel.
    pub(crate) fn cpu(&self) -> Result<Duration, CompareError> {
        let file = format!("/proc/{}/stat", self.0.id());
        let text = fs::read_to_string(&file).map_err(CompareError::io(format!("read {file}")))?;
        let ticks = cpu_ticks(&text)
            .ok_or_else(|| CompareError::Process(format!("{file} does not look as it should: {text}")))?;
        Ok(Duration::from_secs_f64(
            ticks as f64 / clock_ticks_per_second() as f64,
        ))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only where it has ended already, and then there is nothing to wait for either.
        if self.0.kill().is_ok() {
            let _ = self.0.wait();
        }
    }
}

/// The fields `utime` and `stime`. The command's name, in parentheses, may hold anything.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut ticks = fields.split(' ').skip(11).map(str::parse::<u64>);
    Some(ticks.next()?.ok()? + ticks.next()?.ok()?)
}

/// `count` ports of this machine that nobody listens at just now.
pub(crate) fn free_ports(count: usize) -> Result<Vec<u16>, CompareError> {
    // All are held until the last is found, so that none comes twice.
    let bound: Result<Vec<_>, _> = (0..count)
        .map(|_| {
            TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| Ok((listener.local_addr()?, listener)))
        })
        .collect();
    let bound = bound.map_err(CompareError::io("find a free port"))?;
    Ok(bound.iter().map(|(address, _)| address.port()).collect())
}

#[cfg(test)]
mod tests {
    use super::{cpu_ticks, free_ports};

    #[test]
    fn processor_time_is_found_behind_any_name() {
        let stat = "7 (a b) c) S 1 2 3 4 5 6 7 8 9 10 40 2 0 0 20 0";
        assert_eq!(cpu_ticks(stat), Some(42));
        assert_eq!(cpu_ticks("7 (a) S 1"), None);
    }

    #[test]
    fn ports_differ() {
        let mut ports = free_ports(8).unwrap();
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 8);
    }
}
