//! Cargo of a nightly toolchain, for what stable ones do not have.

use std::process::{Command, Stdio};

use anyhow::ensure;

use crate::workspace;

/// Which toolchain rustup is asked for.
const TOOLCHAIN: &str = "nightly";

/// The only target that what needs a nightly toolchain is run on: named, so that the flags do not reach
/// build scripts.
pub(crate) const TARGET: &str = "x86_64-unknown-linux-gnu";

/// `cargo` with `arguments`, to be run at the root.
pub(crate) fn cargo<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = of_toolchain("cargo");
    command.args(arguments);
    command
}

fn of_toolchain(program: &str) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", TOOLCHAIN, program]);
    command.current_dir(workspace::root());
    // What this program was started with belongs to another toolchain.
    for variable in ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(variable);
    }
    command
}

/// Makes sure that there is a nightly toolchain with `components`.
pub(crate) fn need(components: &[&str]) -> anyhow::Result<()> {
    let advice = match components {
        [] => format!("rustup toolchain install {TOOLCHAIN} --profile minimal"),
        _ => format!(
            "rustup toolchain install {TOOLCHAIN} --profile minimal --component {}",
            components.join(",")
        ),
    };
    ensure!(
        answers(cargo(["--version"])),
        "there is no {TOOLCHAIN} toolchain: {advice}"
    );
    for component in components {
        let is_there = match *component {
            "rust-src" => has_sources(),
            other => answers(cargo([other, "--version"])),
        };
        ensure!(
            is_there,
            "the {TOOLCHAIN} toolchain has no {component}: {advice}"
        );
    }
    Ok(())
}

fn answers(mut command: Command) -> bool {
    let command = command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Whether the standard library can be built.
fn has_sources() -> bool {
    let mut command = of_toolchain("rustc");
    let output = command.args(["--print", "sysroot"]).output();
    output.is_ok_and(|output| {
        let sysroot = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let sources =
            std::path::Path::new(&sysroot).join("lib/rustlib/src/rust/library/Cargo.lock");
        output.status.success() && sources.exists()
    })
}
