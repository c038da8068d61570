//! The file of an event, and what direct I/O demands of it.
#![allow(
    unsafe_code,
    reason = "fcntl and statx on a number that may not be an open file"
)]

use std::fs::File;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use crate::simulated_number;

/// The file that an event works on.
///
/// Made of an [`Arc`] it keeps the file open until the callback has been called. Made of a
/// [`RawFd`] it is only a number: the caller keeps the file open until then, and a number that was
/// closed and given to another file meanwhile means I/O on that other file. A thread that is held up
/// in a call when a loop gives up (`shutdown_timeout`) may use the number after the callback.
#[derive(Clone, Debug)]
pub enum FileHandle {
    /// A file descriptor that the caller keeps open.
    Raw(RawFd),
    /// A file that the event keeps open.
    File(Arc<File>),
    /// A descriptor that the event keeps open.
    Owned(Arc<OwnedFd>),
}

impl AsRawFd for FileHandle {
    fn as_raw_fd(&self) -> RawFd {
        match self {
            Self::Raw(fd) => *fd,
            Self::File(file) => file.as_raw_fd(),
            Self::Owned(fd) => fd.as_raw_fd(),
        }
    }
}

impl From<RawFd> for FileHandle {
    fn from(fd: RawFd) -> Self {
        Self::Raw(fd)
    }
}

impl From<Arc<File>> for FileHandle {
    fn from(file: Arc<File>) -> Self {
        Self::File(file)
    }
}

impl From<&Arc<File>> for FileHandle {
    fn from(file: &Arc<File>) -> Self {
        Self::File(Arc::clone(file))
    }
}

impl From<Arc<OwnedFd>> for FileHandle {
    fn from(fd: Arc<OwnedFd>) -> Self {
        Self::Owned(fd)
    }
}

impl From<&Arc<OwnedFd>> for FileHandle {
    fn from(fd: &Arc<OwnedFd>) -> Self {
        Self::Owned(Arc::clone(fd))
    }
}

/// What direct I/O demands of a request, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectAlignment {
    /// The address of each buffer is a multiple of this.
    pub memory: u64,
    /// The offset in the file and the length are multiples of this.
    pub offset: u64,
}

impl DirectAlignment {
    /// Asks the kernel what the file behind `fd` demands. `None` if it is not open with `O_DIRECT`
    /// or if the file system does not say (tmpfs, kernels before 6.1).
    ///
    /// Two system calls: `fcntl(F_GETFL)` and [`statx(2)`] with `STATX_DIOALIGN`.
    ///
    /// [`statx(2)`]: https://man7.org/linux/man-pages/man2/statx.2.html
    #[must_use]
    pub fn of(fd: RawFd) -> Option<Self> {
        if simulated_number::is_simulated(fd) {
            let demanded = Self {
                memory: simulated_number::SECTOR_BYTES,
                offset: simulated_number::SECTOR_BYTES,
            };
            return simulated_number::is_direct(fd).then_some(demanded);
        }
        // SAFETY: F_GETFL takes no pointer; a number that is not open is answered with EBADF.
        let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
        if flags == -1 || flags & libc::O_DIRECT == 0 {
            return None;
        }
        let mut statx = MaybeUninit::<libc::statx>::zeroed();
        // SAFETY: the path is a C string, and the kernel writes at most one `statx` to the pointer,
        // which this frame owns.
        let answer = unsafe {
            libc::statx(
                fd,
                c"".as_ptr(),
                libc::AT_EMPTY_PATH,
                libc::STATX_DIOALIGN,
                statx.as_mut_ptr(),
            )
        };
        // SAFETY: `statx` is made of integers, for which the zeroes it began with are values.
        let statx = unsafe { statx.assume_init() };
        let known = statx.stx_mask & libc::STATX_DIOALIGN != 0;
        if answer != 0 || !known || statx.stx_dio_offset_align == 0 {
            return None;
        }
        Some(Self {
            memory: u64::from(statx.stx_dio_mem_align),
            offset: u64::from(statx.stx_dio_offset_align),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::OpenOptionsExt;

    use super::*;

    #[test]
    fn only_a_direct_file_has_an_alignment() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(DirectAlignment::of(file.as_raw_fd()), None);
        assert_eq!(DirectAlignment::of(-1), None);

        let direct = File::options()
            .read(true)
            .custom_flags(libc::O_DIRECT)
            .open(file.path())
            .unwrap();
        if let Some(alignment) = DirectAlignment::of(direct.as_raw_fd()) {
            assert!(alignment.memory.is_power_of_two());
            assert!(alignment.offset.is_power_of_two());
        }
    }

    #[test]
    fn d7_an_arc_keeps_the_file_open_for_as_long_as_the_handle_lives() {
        let file = Arc::new(tempfile::tempfile().unwrap());
        let handle = FileHandle::from(&file);
        drop(file);
        assert!(handle_is_open(&handle));
    }

    fn handle_is_open(handle: &FileHandle) -> bool {
        // SAFETY: F_GETFD takes no pointer.
        unsafe { libc::fcntl(handle.as_raw_fd(), libc::F_GETFD) != -1 }
    }
}
