//! Whether a descriptor number still means the file that it meant.

use std::os::fd::RawFd;

use crate::simulated_number;
use crate::storage::{self, Known};

/// Which file a descriptor number means.
#[derive(Clone, Copy, Debug)]
pub struct FileIdentity(Known);

impl FileIdentity {
    /// Asks the kernel, with one `statx`; `None` of a number that is not open, or if a sandbox forbids it.
    ///
    /// It is content with what the kernel knows, so that it can be asked about a file whose server or
    /// device does not answer any more: `fstat` would wait for that.
    ///
    /// ```
    /// use std::os::fd::AsRawFd;
    ///
    /// use io_engine_core::FileIdentity;
    ///
    /// let (file, other) = (tempfile::tempfile()?, tempfile::tempfile()?);
    /// let again = file.try_clone()?;
    /// let of = |file: &std::fs::File| FileIdentity::of(file.as_raw_fd()).expect("it is open");
    /// assert!(of(&file).is_same_file(of(&again)));
    /// assert!(!of(&file).is_same_file(of(&other)));
    /// assert!(FileIdentity::of(-1).is_none());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn of(fd: RawFd) -> Option<Self> {
        if simulated_number::is_simulated(fd) {
            return Some(Self(Known {
                device: (u32::MAX, u32::MAX),
                inode: simulated_number::file_index(fd),
                birth: None,
            }));
        }
        storage::known(fd).map(Self)
    }

    /// Whether both mean one file, as far as can be told.
    ///
    /// A file system gives the number of an inode that was deleted to the next file, often at once; the
    /// two differ in the time of their birth, where the file system has one.
    #[must_use]
    pub fn is_same_file(self, other: Self) -> bool {
        let (one, other) = (self.0, other.0);
        let are_twins = match (one.birth, other.birth) {
            (Some(one), Some(other)) => one == other,
            (Some(_) | None, _) => true,
        };
        (one.device, one.inode) == (other.device, other.inode) && are_twins
    }
}
