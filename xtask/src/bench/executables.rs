//! The programs that hold the engines: this one as a release build, fio, and the peers.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;
use cargo_metadata::Message;

use crate::workspace;

use super::cell::CellSpec;
use super::engine_name::Kind;
use super::fio;

/// Where each engine is.
#[derive(Debug, Default)]
pub(crate) struct Executables {
    /// This workspace's own.
    pub(crate) own: PathBuf,
    /// The engine of each peer, with its executable.
    pub(crate) peers: BTreeMap<String, PathBuf>,
}

impl Executables {
    /// The command that runs a cell; `None` where there is no such engine for it.
    pub(crate) fn command(&self, spec: &CellSpec) -> anyhow::Result<Option<Command>> {
        let mut command = match Kind::of(&spec.engine) {
            Kind::Fio => return Ok(fio::command(spec)),
            Kind::Limit | Kind::Own => {
                let mut command = Command::new(&self.own);
                command.arg("bench-cell");
                command
            }
            Kind::Peer => match self.peers.get(&spec.engine) {
                Some(path) => Command::new(path),
                None => return Ok(None),
            },
        };
        command.arg(serde_json::to_string(spec)?);
        Ok(Some(command))
    }

    /// The command that leaves a context alone.
    pub(crate) fn idle_command(&self, milliseconds: u128) -> Command {
        let mut command = Command::new(&self.own);
        command.args(["bench-idle", &milliseconds.to_string()]);
        command
    }
}

/// The executable with our engines, built with optimisation unless that is refused.
pub(crate) fn own(unoptimised: bool) -> anyhow::Result<PathBuf> {
    if unoptimised || !cfg!(debug_assertions) {
        return std::env::current_exe().context("where this program is");
    }
    eprintln!("building the engines with optimisation");
    let manifest = workspace::root().join("Cargo.toml");
    build(&manifest, "xtask", None).map_err(anyhow::Error::msg)
}

/// Builds a package's only executable and says where it is, or how the build failed.
pub(crate) fn build(
    manifest: &Path,
    package: &str,
    target_dir: Option<&Path>,
) -> Result<PathBuf, String> {
    let mut command = workspace::cargo(["build", "--release", "--package", package]);
    command.arg("--message-format=json-render-diagnostics");
    command.arg("--manifest-path").arg(manifest);
    if let Some(dir) = target_dir {
        command.arg("--target-dir").arg(dir);
    }
    command.stdout(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|error| format!("cargo build: {error}"))?;
    let mut found = None;
    if let Some(stdout) = child.stdout.take() {
        for message in Message::parse_stream(BufReader::new(stdout)).flatten() {
            if let Message::CompilerArtifact(artifact) = message
                && let Some(path) = artifact.executable
                && artifact.target.is_bin()
            {
                found = Some(path.into_std_path_buf());
            }
        }
    }
    let status = child
        .wait()
        .map_err(|error| format!("cargo build: {error}"))?;
    if !status.success() {
        return Err(format!(
            "does not build; `cargo build --release --manifest-path {} --package {package}` shows why",
            relative(manifest).display()
        ));
    }
    found.ok_or_else(|| format!("cargo build has made no executable for {package}"))
}

/// The path as it is seen from the root, so that no text holds a path of one machine.
fn relative(path: &Path) -> &Path {
    path.strip_prefix(workspace::root()).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::super::cell::Workload;
    use super::super::pattern::Pattern;
    use super::*;

    fn program(engine: &str, workload: Workload) -> Option<(String, usize)> {
        let executables = Executables {
            own: "own".into(),
            peers: BTreeMap::from([("compio".to_owned(), "peer".into())]),
        };
        let spec = CellSpec {
            engine: engine.to_owned(),
            workload,
            path: "data".into(),
            file_bytes: 4096,
            direct: false,
            block: 4096,
            depth: 1,
            contexts: 1,
            warm_up_ms: 1,
            measure_ms: 1,
            pattern: Pattern::default(),
            seed: 1,
            syscall_tracepoint: None,
        };
        let command = executables.command(&spec).unwrap()?;
        let program = command.get_program().to_string_lossy().into_owned();
        Some((program, command.get_args().count()))
    }

    #[test]
    fn each_engine_is_run_by_the_program_that_holds_it() {
        let read = Workload::RandomRead;
        assert_eq!(program("raw-uring", read), Some(("own".to_owned(), 2)));
        assert_eq!(program("compio", read), Some(("peer".to_owned(), 1)));
        assert_eq!(program("fio-uring", read).unwrap().0, "fio");
        assert_eq!(program("fio-uring", Workload::Nop), None);
        assert_eq!(program("gone", read), None);
    }

    #[test]
    fn a_build_that_fails_says_how_to_see_why() {
        let failed = build(
            &workspace::root().join("Cargo.toml"),
            "no-such-package",
            None,
        );
        assert!(failed.unwrap_err().contains("--manifest-path Cargo.toml"));
    }
}
