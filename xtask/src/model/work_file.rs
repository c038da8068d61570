//! The file that a driver is checked on, and what becomes of it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// A file by its path. One that was made for the check goes away with it, unless it is [kept](Self::keep).
#[derive(Debug)]
pub(crate) struct WorkFile {
    path: PathBuf,
    is_own: bool,
}

impl WorkFile {
    /// The file that the user names.
    pub(crate) fn named(path: &Path) -> anyhow::Result<Self> {
        let is_there = path.try_exists();
        let is_there = is_there.with_context(|| format!("--file: {}", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            is_own: !is_there,
        })
    }

    /// A new one in `folder`.
    pub(crate) fn temporary(folder: &Path) -> anyhow::Result<Self> {
        let builder = tempfile::Builder::new().prefix("file-").tempfile_in(folder);
        let file = builder.with_context(|| folder.display().to_string())?;
        let (_, path) = file.keep().context("a temporary file")?;
        Ok(Self { path, is_own: true })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves it where it is, to be looked at, and says where.
    pub(crate) fn keep(mut self) -> PathBuf {
        self.is_own = false;
        std::mem::take(&mut self.path)
    }
}

impl Drop for WorkFile {
    fn drop(&mut self) {
        if self.is_own {
            // Whoever has removed it before has saved us the work.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_made_for_the_check_goes_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("named");
        let made = WorkFile::named(&path).unwrap();
        fs::write(made.path(), "x").unwrap();
        let again = WorkFile::named(&path).unwrap();
        drop(again);
        assert!(path.exists());
        drop(made);
        assert!(!path.exists());

        let temporary = WorkFile::temporary(folder.path()).unwrap();
        let path = temporary.path().to_owned();
        assert!(path.exists());
        assert_eq!(temporary.keep(), path);
        assert!(path.exists());
    }
}
