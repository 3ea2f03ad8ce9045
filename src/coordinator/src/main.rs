//! The `coordinator` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    zephyrfs_coordinator::main()
}
