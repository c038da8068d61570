//! The workspace as cargo and git see it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use cargo_metadata::{Metadata, MetadataCommand, Package};

/// The crates that are published. Everything else in the workspace is tooling.
pub(crate) const PRODUCT: [&str; 6] = [
    "io-engine-core",
    "io-engine-aio",
    "io-engine-uring",
    "io-engine-merge",
    "io-engine-workers",
    "io-engine",
];

/// The workspace's packages, without their dependencies.
pub(crate) fn metadata() -> anyhow::Result<Metadata> {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        .no_deps()
        .exec()
        .context("cargo metadata")
}

/// The folder of the workspace's Cargo.toml.
pub(crate) fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent()
        .expect("xtask is a folder of the workspace")
        .to_owned()
}

/// `cargo` with `arguments`, to be run at the root.
pub(crate) fn cargo<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(arguments).current_dir(root());
    command
}

/// The package named `name`.
pub(crate) fn package<'a>(metadata: &'a Metadata, name: &str) -> anyhow::Result<&'a Package> {
    let mut packages = metadata.packages.iter();
    packages
        .find(|package| package.name.as_str() == name)
        .with_context(|| format!("no crate {name} in the workspace"))
}

/// One text file of the project.
#[derive(Debug)]
pub(crate) struct TextFile {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl TextFile {
    /// The last part of the path.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Whether it is Rust source of a crate, tests and examples not counted.
    pub(crate) fn is_source(&self) -> bool {
        self.is_rust() && self.path.split('/').nth(1) == Some("src")
    }

    /// Whether it is Rust.
    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// The folder at the root that it is in.
    pub(crate) fn crate_folder(&self) -> &str {
        self.path.split('/').next().unwrap_or("")
    }
}

/// Every file that git tracks or would track, relative to the root; without git every file outside
/// `target`.
pub(crate) fn paths() -> anyhow::Result<Vec<String>> {
    let root = root();
    git_paths(&root).map_or_else(|_| paths_below(&root), Ok)
}

/// Every text file of the project.
pub(crate) fn text_files() -> anyhow::Result<Vec<TextFile>> {
    let root = root();
    let mut files = Vec::new();
    for path in paths()? {
        // A file that git still lists may just have been deleted, and what is not UTF-8 is no text.
        if let Ok(text) = fs::read_to_string(root.join(&path)) {
            files.push(TextFile { path, text });
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    ensure!(!files.is_empty(), "no files found in {}", root.display());
    Ok(files)
}

fn git_paths(root: &Path) -> anyhow::Result<Vec<String>> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others"])
        .arg("--exclude-standard")
        .current_dir(root)
        .output()?;
    ensure!(output.status.success(), "git ls-files failed");
    let listing = String::from_utf8(output.stdout)?;
    let paths = listing.split('\0').filter(|path| !path.is_empty());
    Ok(paths.map(str::to_owned).collect())
}

/// Every file below a folder, relative to it, outside `target` and `.git`.
pub(crate) fn paths_below(root: &Path) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            let is_ours = !path.ends_with("target") && !path.ends_with(".git");
            if path.is_dir() && is_ours {
                folders.push(path);
            } else if let Some(relative) = path.strip_prefix(root)?.to_str()
                && path.is_file()
            {
                found.push(relative.to_owned());
            }
        }
    }
    Ok(found)
}
