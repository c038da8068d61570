//! The peers: which there are, built one by one, and the engines each of them holds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use cargo_metadata::MetadataCommand;

use crate::workspace;

use super::child;
use super::executables::build;
use super::interruption;

/// The peers that can be measured, and those that cannot.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    /// Each engine with the program that holds it.
    pub(crate) engines: BTreeMap<String, PathBuf>,
    /// Each peer that has none, with the reason.
    pub(crate) broken: BTreeMap<String, String>,
}

/// The workspace of the peers.
pub(crate) const MANIFEST: &str = "xtask/peers/Cargo.toml";
/// To say which engines there are.
const ANSWER_TAKES: Duration = Duration::from_secs(10);

impl Peers {
    /// Builds every peer. One that fails is told and takes no other with it.
    pub(crate) fn build() -> anyhow::Result<Self> {
        let mut peers = Self::default();
        let manifest = workspace::root().join(MANIFEST);
        let names = match packages(&manifest) {
            Ok(names) => names,
            Err(reason) => {
                peers.broken.insert(MANIFEST.to_owned(), reason);
                return Ok(peers);
            }
        };
        let target_dir = workspace::root().join("target/peers");
        for name in names {
            interruption::check()?;
            eprintln!("building the peer {name}");
            match build(&manifest, &name, Some(&target_dir)) {
                Ok(path) => peers.ask(&name, &path)?,
                Err(reason) => {
                    peers.broken.insert(name, reason);
                }
            }
        }
        Ok(peers)
    }

    /// Asks a peer for the names of its engines.
    fn ask(&mut self, name: &str, path: &Path) -> anyhow::Result<()> {
        let mut command = Command::new(path);
        command.arg("--engines");
        let reason = match child::run(&mut command, ANSWER_TAKES)? {
            Err(failure) => failure.text(),
            Ok(printed) => match serde_json::from_str::<Vec<String>>(&printed.stdout) {
                Ok(engines) => {
                    let found = engines.into_iter().map(|engine| (engine, path.to_owned()));
                    self.engines.extend(found);
                    return Ok(());
                }
                Err(error) => format!("--engines printed no list of names: {error}"),
            },
        };
        self.broken.insert(name.to_owned(), reason);
        Ok(())
    }
}

/// The packages that have an executable.
fn packages(manifest: &Path) -> Result<Vec<String>, String> {
    let metadata = MetadataCommand::new()
        .manifest_path(manifest)
        .no_deps()
        .exec();
    let metadata = metadata.map_err(|error| format!("cannot be read: {error}"))?;
    let packages = metadata.workspace_packages().into_iter();
    let mut names: Vec<String> = packages
        .filter(|package| package.targets.iter().any(|target| target.is_bin()))
        .map(|package| package.name.to_string())
        .collect();
    names.sort_unstable();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn asked(script: &str) -> Peers {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("peer");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let mut peers = Peers::default();
        peers.ask("peer", &path).unwrap();
        peers
    }

    #[test]
    fn a_peer_says_which_engines_it_holds() {
        let peers = asked("echo '[\"one\", \"two\"]'");
        assert_eq!(peers.engines.keys().collect::<Vec<_>>(), ["one", "two"]);
        assert!(peers.broken.is_empty());
    }

    #[test]
    fn a_peer_that_does_not_answer_is_broken_and_says_how() {
        assert!(asked("echo hello").broken["peer"].contains("no list"));
        assert!(asked("exit 4").broken["peer"].contains("exit status 4"));
    }

    #[test]
    fn the_workspace_of_a_missing_manifest_is_a_reason() {
        assert!(packages(Path::new("no/such/Cargo.toml")).is_err());
    }
}
