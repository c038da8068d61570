//! `check`: what needs no test to run.

use std::process::{Command, ExitCode, Stdio};

use anyhow::ensure;

use crate::arrows;
use crate::mutants;
use crate::steps::Steps;
use crate::tidy;
use crate::workspace::cargo;

pub(crate) fn run() -> anyhow::Result<ExitCode> {
    need_components()?;
    let mut steps = Steps::new();
    add_to(&mut steps);
    steps.command("docs", docs());
    Ok(steps.finish())
}

/// Formatting, lints, arrows, tidy and the table of mutants.
pub(crate) fn add_to(steps: &mut Steps) {
    steps.command("fmt", cargo(["fmt", "--all", "--check"]));
    steps.command("clippy", clippy());
    steps.check("arrows", arrows::check);
    steps.check("tidy", tidy::check);
    steps.check("table of mutants", mutants::check);
}

fn clippy() -> Command {
    let mut command = cargo(["clippy", "--workspace", "--all-targets", "--all-features"]);
    command.args(["--", "-D", "warnings"]);
    command
}

/// The documentation, with every warning an error.
pub(crate) fn docs() -> Command {
    let mut command = cargo(["doc", "--workspace", "--no-deps", "--all-features"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    command
}

/// Makes sure that rustfmt and clippy are there. A minimal installation of Rust has neither.
pub(crate) fn need_components() -> anyhow::Result<()> {
    for (component, command) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if !answers(cargo([command, "--version"])) {
            eprintln!("{component} is missing: rustup component add {component}");
            let mut rustup = Command::new("rustup");
            rustup.args(["component", "add", component]);
            // Its answer is in the next line: either the component is there now or it is not.
            let _ = rustup.status();
            ensure!(
                answers(cargo([command, "--version"])),
                "cargo {command} does not run; install it with `rustup component add {component}` or with the package manager that Rust came from"
            );
        }
    }
    Ok(())
}

fn answers(mut command: Command) -> bool {
    let command = command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
