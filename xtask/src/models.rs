//! The loom models: every interleaving of the protocols between threads.

use std::path::Path;
use std::process::Command;

use cargo_metadata::{Metadata, Package, TargetKind};

use crate::workspace;

/// The file of a crate that holds its models: `tests/loom.rs`.
const MODELS: &str = "loom";

/// One run of `cargo test` over every crate that has models; none if no crate has.
///
/// The flag reaches every crate below, so the models live in a folder of their own and leave the
/// other builds alone.
pub(crate) fn command(metadata: &Metadata) -> Option<Command> {
    let with_models: Vec<&Package> = metadata
        .workspace_packages()
        .into_iter()
        .filter(|package| has_models(package))
        .collect();
    if with_models.is_empty() {
        return None;
    }
    let mut command = workspace::cargo(["test", "--release", "--test", MODELS]);
    for package in with_models {
        command.args(["-p", package.name.as_str()]);
    }
    let target: &Path = metadata.target_directory.as_std_path();
    command.env("CARGO_TARGET_DIR", target.join("loom"));
    command.env("RUSTFLAGS", "--cfg loom");
    Some(command)
}

fn has_models(package: &Package) -> bool {
    let mut targets = package.targets.iter();
    targets.any(|target| target.is_kind(TargetKind::Test) && target.name == MODELS)
}
