//! `miri`: the core, and the loop on a simulated disk, in an interpreter that sees undefined behaviour.
//!
//! The disk moves bytes through the addresses that a kernel would hold. So a buffer that is freed or moved
//! while its request is under way is found here, and nowhere else.

use std::process::{Command, ExitCode, Stdio};

use anyhow::ensure;

use crate::steps::Steps;
use crate::workspace;

/// Miri is a part of nightly toolchains only.
const TOOLCHAIN: &str = "nightly";

/// The tests touch files of the test's folder and wait for the doorbell.
const FLAGS: &str = "-Zmiri-disable-isolation";

pub(crate) fn run() -> anyhow::Result<ExitCode> {
    let mut version = miri(&["--version"]);
    let version = version.stdout(Stdio::null()).stderr(Stdio::null());
    ensure!(
        version.status().is_ok_and(|status| status.success()),
        "Miri does not run: rustup toolchain install {TOOLCHAIN} --component miri,rust-src"
    );
    let mut steps = Steps::new();
    steps.command(
        "core: the slab, merged runs, completions",
        miri(&[
            "test",
            "-p",
            "io-engine-core",
            "--features",
            "sim",
            "--test",
            "completion",
            "--test",
            "merged_events",
            "--test",
            "run_pool",
            "--test",
            "shrinking_transfers",
        ]),
    );
    steps.command(
        "core: every fault of the simulated disk",
        miri(&[
            "test",
            "-p",
            "io-engine-core",
            "--features",
            "sim",
            "--test",
            "sim_faults",
        ]),
    );
    steps.command(
        "the loop on the simulated disk",
        miri(&[
            "test",
            "-p",
            "io-engine",
            "--no-default-features",
            "--features",
            "threads,merge,sim",
            "--test",
            "simulated_model",
            "--test",
            "simulated_log",
        ]),
    );
    Ok(steps.finish())
}

fn miri(arguments: &[&str]) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", TOOLCHAIN, "cargo", "miri"]);
    command.args(arguments).current_dir(workspace::root());
    // What this program was started with belongs to another toolchain.
    for variable in ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(variable);
    }
    command.env("MIRIFLAGS", FLAGS);
    command
}
