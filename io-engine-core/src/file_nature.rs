//! Whether reads of a file can be begun without blocking, and what it costs if they block.
#![allow(
    unsafe_code,
    reason = "system calls on a number that may not be an open file"
)]

use std::mem::MaybeUninit;
use std::os::fd::RawFd;

use crate::storage::stat;

/// How the kernel carries out reads and writes of a file that must not block.
///
/// io_uring hands a transfer to a kernel thread where the file system cannot begin it without
/// blocking. That costs tens of microseconds, many times what a copy from memory takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileNature {
    /// They can be begun without blocking, or nothing is known of the file.
    Asynchronous,
    /// As [`Asynchronous`](Self::Asynchronous), and they go through the page cache: a read may have
    /// nothing to wait for.
    Cached,
    /// They cannot, and take no longer than a copy in memory: tmpfs, ramfs, RAM-backed devices.
    InMemory,
    /// They cannot, and may wait for a device or another process.
    Blocking,
}

/// The magic numbers of file systems whose files are memory.
const MEMORY_FILE_SYSTEMS: [i64; 3] = [libc::TMPFS_MAGIC, RAMFS_MAGIC, libc::HUGETLBFS_MAGIC];
const RAMFS_MAGIC: i64 = 0x8584_58f6;

/// The names of block devices that are memory, without their number.
const MEMORY_DEVICES: [&str; 3] = ["zram", "ram", "pmem"];

/// Beyond the end of every file, so that asking reads nothing.
const BEYOND_THE_END: i64 = i64::MAX & !0xffff;

#[repr(align(4096))]
struct Page([u8; 4096]);

impl FileNature {
    /// Asks the kernel: a read with [`RWF_NOWAIT`] beyond the end of the file, and where that is
    /// refused the type of its file system or device. Two system calls for most files.
    ///
    /// [`RWF_NOWAIT`]: https://man7.org/linux/man-pages/man2/readv.2.html
    #[must_use]
    pub fn of(fd: RawFd) -> Self {
        match read_without_blocking(fd) {
            Ok(()) if is_direct(fd) => Self::Asynchronous,
            Ok(()) => Self::Cached,
            // Also what could not be asked, because it is open for writing only.
            Err(errno @ (libc::EOPNOTSUPP | libc::EBADF)) => match medium(fd) {
                Medium::Memory => Self::InMemory,
                Medium::Storage if errno == libc::EOPNOTSUPP => Self::Blocking,
                Medium::Storage | Medium::Other => Self::Asynchronous,
            },
            Err(_) => Self::Asynchronous,
        }
    }
}

fn read_without_blocking(fd: RawFd) -> Result<(), i32> {
    let mut page = Page([0; 4096]);
    let segment = libc::iovec {
        iov_base: page.0.as_mut_ptr().cast(),
        iov_len: page.0.len(),
    };
    // SAFETY: the segment leads to a page that this frame owns and that the kernel may write to
    // during the call. A number that is not open is answered with EBADF.
    let answer =
        unsafe { libc::preadv2(fd, &raw const segment, 1, BEYOND_THE_END, libc::RWF_NOWAIT) };
    if answer >= 0 {
        return Ok(());
    }
    let errno = std::io::Error::last_os_error().raw_os_error();
    Err(errno.unwrap_or(libc::EIO))
}

fn is_direct(fd: RawFd) -> bool {
    // SAFETY: F_GETFL takes no pointer; a number that is not open is answered with EBADF.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    flags != -1 && flags & libc::O_DIRECT != 0
}

enum Medium {
    Memory,
    Storage,
    /// A directory, a pipe, a terminal: the queue to the kernel knows best.
    Other,
}

fn medium(fd: RawFd) -> Medium {
    let Some(stat) = stat(fd) else {
        return Medium::Other;
    };
    let is_memory = match stat.st_mode & libc::S_IFMT {
        libc::S_IFREG => is_on_memory_file_system(fd),
        libc::S_IFBLK => is_memory_device(stat.st_rdev),
        _ => return Medium::Other,
    };
    match is_memory {
        true => Medium::Memory,
        false => Medium::Storage,
    }
}

fn is_on_memory_file_system(fd: RawFd) -> bool {
    let mut statfs = MaybeUninit::<libc::statfs>::zeroed();
    // SAFETY: the kernel writes at most one `statfs` to the pointer, which this frame owns.
    if unsafe { libc::fstatfs(fd, statfs.as_mut_ptr()) } != 0 {
        return false;
    }
    // SAFETY: `statfs` is made of integers, for which the zeroes it began with are values.
    let statfs = unsafe { statfs.assume_init() };
    MEMORY_FILE_SYSTEMS.contains(&statfs.f_type)
}

/// By its name in sysfs, the only place where a block driver tells its name.
fn is_memory_device(device: libc::dev_t) -> bool {
    let (major, minor) = (libc::major(device), libc::minor(device));
    let Ok(link) = std::fs::read_link(format!("/sys/dev/block/{major}:{minor}")) else {
        return false;
    };
    let name = link.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| {
        let driver = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
        MEMORY_DEVICES.contains(&driver)
    })
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn files_of_a_memory_file_system_are_in_memory_also_when_they_are_only_written() {
        let Ok(file) = tempfile::NamedTempFile::new_in("/dev/shm") else {
            return;
        };
        let read_only = File::open(file.path()).unwrap();
        let write_only = File::options().write(true).open(file.path()).unwrap();
        let natures = [&read_only, &write_only].map(|file| FileNature::of(file.as_raw_fd()));
        // A later kernel may begin reads of tmpfs without blocking.
        assert!(!natures.contains(&FileNature::Blocking), "{natures:?}");
        assert_eq!(natures[1], FileNature::InMemory);
    }

    #[test]
    fn what_is_no_file_is_left_to_the_kernel() {
        assert_eq!(FileNature::of(-1), FileNature::Asynchronous);
        let directory = File::open("/").unwrap();
        assert_eq!(
            FileNature::of(directory.as_raw_fd()),
            FileNature::Asynchronous
        );
    }

    #[test]
    fn asking_reads_nothing_and_moves_no_position() {
        use std::io::{Read, Seek};
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, b"abc").unwrap();
        file.rewind().unwrap();
        let _ = FileNature::of(file.as_raw_fd());
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "abc");
    }
}
