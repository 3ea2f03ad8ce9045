//! Finding and running the programs under test.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

/// How long a program that is to end may take.
const LIMIT: Duration = Duration::from_secs(60);

/// The path of a program of this workspace, built by `cargo build --workspace`.
///
/// # Panics
/// If it is not there.
#[allow(clippy::panic, reason = "without the program there is nothing to test")]
pub fn binary(name: &str) -> PathBuf {
    let here = std::env::current_exe().unwrap_or_else(|error| panic!("where am I? {error}"));
    // Test programs lie in a folder beside the others.
    let mut paths = here.ancestors().skip(1).take(2).map(|folder| folder.join(name));
    paths.find(|path| path.is_file()).unwrap_or_else(|| {
        panic!(
            "{name} is not built beside {}; run: cargo build --workspace",
            here.display()
        )
    })
}

/// A program of this workspace, to be run with no environment, except that it counts into the same profile as the tests
/// where coverage is measured. It dies with whoever holds it.
pub(crate) fn command(program: &str) -> Command {
    command_through(&[], program)
}

/// The same, started by another program that becomes this one: `through` is that program with its arguments.
pub(crate) fn command_through(through: &[String], program: &str) -> Command {
    const PROFILE: &str = "LLVM_PROFILE_FILE";
    let program = binary(program);
    let mut command = match through {
        [] => Command::new(program),
        [first, arguments @ ..] => {
            let mut command = Command::new(first);
            command.args(arguments).arg(program);
            command
        }
    };
    command
        .env_clear()
        .envs(std::env::var_os(PROFILE).map(|file| (PROFILE, file)))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// What a program said and how it ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

/// Runs the coordinator with arguments and environment until it ends by itself.
///
/// # Panics
/// If it does not end within a minute.
pub async fn run_to_end(program: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    let mut command = command(program);
    command.args(arguments).envs(environment.iter().copied());
    ended(command).await
}

/// Runs a program whose stdout nobody reads until it ends by itself: `head` went away.
///
/// # Panics
/// If it does not end within a minute.
#[allow(clippy::panic, reason = "without a pipe there is nothing to test")]
pub async fn run_unread(program: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Ended {
    let (reader, writer) = std::io::pipe().unwrap_or_else(|error| panic!("no pipe: {error}"));
    drop(reader);
    let mut command = command(program);
    command.args(arguments).envs(environment.iter().copied());
    ended_with(command, writer.into()).await
}

/// Runs a command until it ends by itself.
///
/// # Panics
/// If it does not end within a minute.
pub(crate) async fn ended(command: Command) -> Ended {
    ended_with(command, Stdio::piped()).await
}

#[allow(clippy::panic, reason = "a program that does not end is a failed test")]
async fn ended_with(mut command: Command, stdout: Stdio) -> Ended {
    let child = command
        .stdout(stdout)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let output = tokio::time::timeout(LIMIT, child.wait_with_output())
        .await
        .unwrap_or_else(|_| panic!("{command:?} did not end within a minute"))
        .unwrap_or_else(|error| panic!("cannot wait for {command:?}: {error}"));
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
