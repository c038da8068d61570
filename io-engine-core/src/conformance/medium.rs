//! Where the files of the suite lie, and how they are opened.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempDir};

use super::skipping::say_skipped;
use crate::file::DirectAlignment;

/// A folder for the files of the suite, gone on drop, and whether they are opened with `O_DIRECT`.
#[derive(Debug)]
pub struct Medium {
    name: &'static str,
    folder: TempDir,
    is_direct: bool,
    unit: usize,
}

/// The least multiple for direct I/O where the file system does not say.
const SECTOR_BYTES: usize = 512;

impl Medium {
    /// Files in a folder of their own inside `parent`, through the page cache.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn buffered(name: &'static str, parent: &Path) -> io::Result<Self> {
        Ok(Self {
            name,
            folder: tempfile::tempdir_in(parent)?,
            is_direct: false,
            unit: 1,
        })
    }

    /// Files in a folder of their own inside `parent`, open with `O_DIRECT`.
    ///
    /// # Errors
    /// The folder cannot be made, or its file system has no direct I/O.
    pub fn direct(name: &'static str, parent: &Path) -> io::Result<Self> {
        let folder = tempfile::tempdir_in(parent)?;
        let trial = NamedTempFile::new_in(folder.path())?;
        let trial = File::options()
            .read(true)
            .custom_flags(libc::O_DIRECT)
            .open(trial.path())?;
        let unit = DirectAlignment::of(trial.as_raw_fd())
            .and_then(|alignment| usize::try_from(alignment.offset.max(alignment.memory)).ok())
            .map_or(SECTOR_BYTES, |demanded| demanded.max(SECTOR_BYTES));
        Ok(Self {
            name,
            folder,
            is_direct: true,
            unit,
        })
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Whether files are opened with `O_DIRECT`.
    #[must_use]
    pub fn is_direct(&self) -> bool {
        self.is_direct
    }

    /// What every offset and length must be a multiple of, in bytes.
    #[must_use]
    pub fn unit(&self) -> usize {
        self.unit
    }
}

impl fmt::Display for Medium {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The media of this machine, and how many it refuses; each of those is reported as skipped.
///
/// The disk is the folder that `CARGO_TARGET_TMPDIR` or else `TMPDIR` names, or else the one with
/// the running test. The memory is `/dev/shm`.
#[must_use]
pub fn media() -> (Vec<Medium>, usize) {
    let (disk, memory) = (disk_folder(), Path::new("/dev/shm"));
    let candidates = [
        ("disk, buffered", Medium::buffered("disk, buffered", &disk)),
        ("disk, O_DIRECT", Medium::direct("disk, O_DIRECT", &disk)),
        (
            "tmpfs, buffered",
            Medium::buffered("tmpfs, buffered", memory),
        ),
        ("tmpfs, O_DIRECT", Medium::direct("tmpfs, O_DIRECT", memory)),
    ];
    let mut here = Vec::with_capacity(candidates.len());
    let mut refused = 0;
    for (name, medium) in candidates {
        match medium {
            Ok(medium) => here.push(medium),
            Err(reason) => {
                say_skipped(name, &reason);
                refused += 1;
            }
        }
    }
    (here, refused)
}

fn disk_folder() -> PathBuf {
    let named = ["CARGO_TARGET_TMPDIR", "TMPDIR"];
    let named = named.into_iter().filter_map(std::env::var_os).next();
    named.map(PathBuf::from).unwrap_or_else(|| {
        let test = std::env::current_exe().ok();
        test.and_then(|test| test.parent().map(Path::to_path_buf))
            .unwrap_or_else(|| PathBuf::from("."))
    })
}
