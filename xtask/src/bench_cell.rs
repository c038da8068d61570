//! One cell of the benchmark, in the process that the runner starts for it.

use std::io::Write;
use std::process::ExitCode;

use crate::bench::cell::CellSpec;
use crate::bench::engines;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The cell as JSON.
    spec: String,
}

/// Prints the outcome as one line; whatever else there is to say goes to stderr.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let spec = CellSpec::from_json(&options.spec)?;
    let outcome = engines::run(&spec)?;
    let line = serde_json::to_string(&outcome)?;
    writeln!(std::io::stdout().lock(), "{line}")?;
    Ok(ExitCode::SUCCESS)
}
