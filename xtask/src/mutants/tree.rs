//! The copy of the workspace in which bugs are planted.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use rustix::fs::{FlockOperation, flock};

use super::mutant::Mutant;
use super::substitution::{Planted, substitute};
use crate::workspace;

/// Belongs to one run at a time.
#[derive(Debug)]
pub(crate) struct Tree {
    folder: PathBuf,
    /// Locked until this is dropped, however the process ends.
    _lock: File,
}

impl Tree {
    /// Brings the copy in `folder` up to date with `paths` below `root`. Files that are as they should
    /// be keep their time, so that what was built from them stays good.
    pub(crate) fn copied(root: &Path, paths: &[String], folder: PathBuf) -> anyhow::Result<Self> {
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let lock = lock(&folder.with_extension("lock"))?;
        let wanted: BTreeSet<&str> = paths.iter().map(String::as_str).collect();
        for path in workspace::paths_below(&folder)? {
            if !wanted.contains(path.as_str()) {
                fs::remove_file(folder.join(&path)).with_context(|| format!("removing {path}"))?;
            }
        }
        for path in wanted {
            match fs::read(root.join(path)) {
                Ok(bytes) => bring_up_to_date(&folder.join(path), &bytes)
                    .with_context(|| format!("copying {path}"))?,
                // git lists what has just been deleted.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    remove_if_there(&folder.join(path))
                        .with_context(|| format!("removing {path}"))?;
                }
                Err(error) => bail!("reading {path}: {error}"),
            }
        }
        Ok(Self {
            folder,
            _lock: lock,
        })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Plants the bug, runs `work` on it, and takes it out again. Says in which line it was.
    pub(crate) fn with_planted<R>(
        &self,
        mutant: &Mutant,
        work: impl FnOnce() -> anyhow::Result<R>,
    ) -> anyhow::Result<(usize, R)> {
        let path = self.folder.join(mutant.file);
        let sound =
            fs::read_to_string(&path).with_context(|| format!("reading {}", mutant.file))?;
        let Planted { text, line } = match substitute(&sound, mutant.find, mutant.replace) {
            Ok(planted) => planted,
            Err(refusal) => bail!("{}: {}: {refusal}", mutant.name, mutant.file),
        };
        // Each writing gives the file a new time, by which cargo sees that it has changed.
        fs::write(&path, text).with_context(|| format!("writing {}", mutant.file))?;
        let done = work();
        fs::write(&path, sound).with_context(|| format!("restoring {}", mutant.file))?;
        Ok((line, done?))
    }
}

fn lock(path: &Path) -> anyhow::Result<File> {
    let file = File::create(path).with_context(|| format!("cannot make {}", path.display()))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => bail!(
            "another run plants bugs in the copy beside {}; wait for it, or set another CARGO_TARGET_DIR",
            path.display()
        ),
        Err(errno) => bail!("locking {}: {errno}", path.display()),
    }
}

fn bring_up_to_date(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, bytes)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn workspace_of(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            bring_up_to_date(&root.path().join("from").join(name), text.as_bytes()).unwrap();
        }
        root
    }

    fn copied(root: &Path, names: &[&str]) -> anyhow::Result<Tree> {
        Tree::copied(&root.join("from"), &paths(names), root.join("tree"))
    }

    #[test]
    fn a_copy_follows_its_origin_and_leaves_what_is_right_alone() {
        let root = workspace_of(&[("a/src/one.rs", "1"), ("two.rs", "2"), ("old.rs", "3")]);
        let tree = copied(root.path(), &["a/src/one.rs", "two.rs", "old.rs"]).unwrap();
        let modified = |name: &str| {
            let metadata = fs::metadata(tree.folder().join(name)).unwrap();
            metadata.modified().unwrap()
        };
        let before = modified("a/src/one.rs");
        let folder = tree.folder().to_owned();
        fs::write(folder.join("two.rs"), "a bug that was left there").unwrap();
        drop(tree);
        let tree = copied(root.path(), &["a/src/one.rs", "two.rs", "gone.rs"]).unwrap();
        assert_eq!(fs::read_to_string(folder.join("two.rs")).unwrap(), "2");
        assert!(!folder.join("old.rs").exists());
        let metadata = fs::metadata(tree.folder().join("a/src/one.rs")).unwrap();
        assert_eq!(metadata.modified().unwrap(), before);
    }

    #[test]
    fn a_bug_is_there_for_as_long_as_it_is_worked_on_and_no_longer() {
        let root = workspace_of(&[("one.rs", "fn a() {\n    good();\n}\n")]);
        let tree = copied(root.path(), &["one.rs"]).unwrap();
        let read = || fs::read_to_string(tree.folder().join("one.rs")).unwrap();
        let mutant = Mutant {
            file: "one.rs",
            find: "good",
            replace: "bad",
            ..Mutant::USUAL
        };
        let (line, seen) = tree.with_planted(&mutant, || Ok(read())).unwrap();
        assert_eq!((line, seen.contains("bad();")), (2, true));
        assert!(read().contains("good();"));
        let failed: anyhow::Result<(usize, ())> =
            tree.with_planted(&mutant, || bail!("on purpose"));
        assert!(failed.is_err() && read().contains("good();"));
        let elsewhere = Mutant {
            find: "better",
            ..mutant
        };
        let refused = tree.with_planted(&elsewhere, || Ok(())).unwrap_err();
        assert!(refused.to_string().contains("is not there"), "{refused}");
    }

    #[test]
    fn a_second_run_in_the_same_copy_is_refused() {
        let root = workspace_of(&[("one.rs", "1")]);
        let _first = copied(root.path(), &["one.rs"]).unwrap();
        let refused = copied(root.path(), &["one.rs"]).unwrap_err();
        assert!(refused.to_string().contains("another run"), "{refused}");
    }
}
