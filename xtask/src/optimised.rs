//! Running this program again as a release build, where the numbers of another one say nothing or take
//! too long.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use anyhow::Context;

use crate::workspace;

/// Builds it if need be, and runs it with the arguments of this process.
pub(crate) fn run_again() -> anyhow::Result<ExitCode> {
    let manifest = workspace::root().join("Cargo.toml").display().to_string();
    let mut arguments = vec!["run", "--release", "--package", "xtask"];
    arguments.extend(["--manifest-path", &manifest]);
    if io::stderr().is_terminal() {
        eprintln!("building with optimisation; this takes a while the first time");
    } else {
        arguments.push("--quiet");
    }
    arguments.push("--");
    let mut command = workspace::cargo(arguments);
    command.args(std::env::args_os().skip(1));
    // Relative paths are meant from where the user stands.
    command.current_dir(std::env::current_dir()?);
    let status = command.status().context("cargo run --release")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}
