//! Files on the disk, where `O_DIRECT` means something, and numbers of descriptors.
#![allow(unsafe_code, reason = "dup2 and fcntl have no safe interface in std")]

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use io_engine::DirectAlignment;
use tempfile::TempDir;

/// A folder on the disk that the build lies on, gone on drop.
pub(crate) struct Disk(TempDir);

impl Disk {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"));
        Self(folder.expect("a temporary folder"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A file with this content, open for both directions.
    pub(crate) fn file(&self, name: &str, content: &[u8]) -> Arc<File> {
        std::fs::write(self.path(name), content).expect("room on the disk");
        self.open(name, 0)
    }

    /// The file, open for both directions and with these flags.
    pub(crate) fn open(&self, name: &str, flags: i32) -> Arc<File> {
        let file = File::options()
            .read(true)
            .write(true)
            .custom_flags(flags)
            .open(self.path(name));
        Arc::new(file.expect("the file is there"))
    }

    /// The file with `O_DIRECT`, and what that demands. `None`, and said aloud, where the file
    /// system has no direct I/O or does not say.
    pub(crate) fn direct(&self, name: &str) -> Option<(Arc<File>, DirectAlignment)> {
        let opened = File::options()
            .read(true)
            .write(true)
            .custom_flags(libc::O_DIRECT)
            .open(self.path(name));
        let alignment = opened
            .as_ref()
            .ok()
            .and_then(|file| DirectAlignment::of(file.as_raw_fd()));
        match (opened, alignment) {
            (Ok(file), Some(alignment)) => Some((Arc::new(file), alignment)),
            (opened, _) => {
                let reason = opened.err().map_or_else(
                    || "the file system does not tell its alignment".to_owned(),
                    |error| error.to_string(),
                );
                io_engine_core::conformance::require_or_skip("direct", &reason);
                None
            }
        }
    }
}

/// Makes the number that `number` owns lead to `file`.
pub(crate) fn put_behind(number: &OwnedFd, file: &File) {
    put_behind_number(number.as_raw_fd(), file);
}

/// Makes `number` lead to `file`, whoever owns it.
pub(crate) fn put_behind_number(number: RawFd, file: &File) {
    // SAFETY: takes two numbers; what `number` led to before is closed by the kernel, and whoever owns
    // it meets `file` there.
    let answer = unsafe { libc::dup2(file.as_raw_fd(), number) };
    assert_eq!(answer, number);
}

/// A number that was open and is closed, too high for the kernel to give it out again meanwhile.
pub(crate) fn closed_number(file: &File) -> RawFd {
    // SAFETY: takes no pointer; the new descriptor belongs to this function.
    let number = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 700) };
    assert!(number >= 700, "{}", std::io::Error::last_os_error());
    // SAFETY: it was opened above and nobody else knows it.
    let answer = unsafe { libc::close(number) };
    assert_eq!(answer, 0);
    number
}
