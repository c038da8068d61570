//! The scripts that are worth keeping.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;

use crate::workspace;

/// Those of the repository, which ordinary tests perform: one for each place in the code that any reaches.
const KEPT: &str = "io-engine/tests/fuzz_corpus";

/// The folders of scripts.
#[derive(Debug)]
pub(crate) struct Corpus {
    pub(crate) kept: PathBuf,
    /// Those of this machine: many more, since how often a place is reached counts too. A run goes on from
    /// where the last one was.
    pub(crate) working: PathBuf,
    /// Those that fail.
    pub(crate) failing: PathBuf,
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Size {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

impl Corpus {
    /// The folders, which are made if need be; those of this machine below `folder`.
    pub(crate) fn open(folder: &Path) -> anyhow::Result<Self> {
        let corpus = Self {
            kept: workspace::root().join(KEPT),
            working: folder.join("corpus"),
            failing: folder.join("failing"),
        };
        for folder in [&corpus.kept, &corpus.working, &corpus.failing] {
            fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        Ok(corpus)
    }

    /// How much is kept.
    pub(crate) fn kept(&self) -> anyhow::Result<Size> {
        size_of(&self.kept)
    }
}

fn size_of(folder: &Path) -> anyhow::Result<Size> {
    let mut size = Size::default();
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    for entry in entries {
        size.files += 1;
        size.bytes += entry?.metadata()?.len();
    }
    Ok(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_their_bytes_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(size_of(folder.path()).unwrap(), Size::default());
        fs::write(folder.path().join("a"), [1; 7]).unwrap();
        fs::write(folder.path().join("b"), [1; 5]).unwrap();
        assert_eq!(
            size_of(folder.path()).unwrap(),
            Size {
                files: 2,
                bytes: 12
            }
        );
    }

    #[test]
    fn the_corpus_of_the_repository_is_small() {
        let kept = size_of(&workspace::root().join(KEPT)).unwrap();
        assert!(kept.files > 20 && kept.bytes < 64_000, "{kept:?}");
    }
}
