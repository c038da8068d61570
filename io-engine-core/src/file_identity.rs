//! Whether a descriptor number still means the file that it meant.

use std::os::fd::RawFd;

use crate::simulated_number;
use crate::storage;

/// Which file a descriptor number means: two numbers of one file have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileIdentity {
    device: u64,
    inode: u64,
}

impl FileIdentity {
    /// Asks the kernel, with one `fstat`; `None` of a number that is not open.
    ///
    /// ```
    /// use std::os::fd::AsRawFd;
    ///
    /// use io_engine_core::FileIdentity;
    ///
    /// let (file, other) = (tempfile::tempfile()?, tempfile::tempfile()?);
    /// let again = file.try_clone()?;
    /// let of = |file: &std::fs::File| FileIdentity::of(file.as_raw_fd());
    /// assert_eq!(of(&file), of(&again));
    /// assert_ne!(of(&file), of(&other));
    /// assert_eq!(FileIdentity::of(-1), None);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn of(fd: RawFd) -> Option<Self> {
        if simulated_number::is_simulated(fd) {
            return Some(Self {
                device: u64::MAX,
                inode: simulated_number::file_index(fd),
            });
        }
        let stat = storage::stat(fd)?;
        Some(Self {
            device: stat.st_dev,
            inode: stat.st_ino,
        })
    }
}
