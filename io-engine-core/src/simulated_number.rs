//! Descriptor numbers that mean files of a simulated disk, and what such a number says of its file.
//!
//! What is asked of the kernel about a file, by its number, has an answer here for a file that the
//! kernel does not know.

use std::os::fd::RawFd;

/// The first of them. The kernel gives out none from here on: `fs.nr_open` is 2^20 unless raised, and
/// a table of 2^30 descriptors would take 8 GiB.
pub(crate) const FIRST: RawFd = 1 << 30;

/// Set in the number of a file that is open as if with `O_DIRECT`.
pub(crate) const DIRECT: RawFd = 1 << 29;

/// What direct I/O on a simulated disk demands: its sectors.
pub(crate) const SECTOR_BYTES: u64 = 512;

/// The most files of a disk, so that few numbers are theirs: a wrong one is to be told from them.
pub(crate) const FILES_MAX: RawFd = 1 << 20;

pub(crate) fn is_simulated(fd: RawFd) -> bool {
    fd >= FIRST && fd & !(FIRST | DIRECT) < FILES_MAX
}

pub(crate) fn is_direct(fd: RawFd) -> bool {
    is_simulated(fd) && fd & DIRECT != 0
}

/// Which of the files of a disk it is, however it is open.
pub(crate) fn file_index(fd: RawFd) -> u64 {
    u64::from((fd & !(FIRST | DIRECT)).cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_descriptor_at_all_is_no_simulated_file_either() {
        for fd in [RawFd::MAX, -1, 0, FIRST - 1, FIRST + FILES_MAX] {
            assert!(!is_simulated(fd), "{fd}");
        }
        assert!(is_simulated(FIRST) && !is_direct(FIRST));
        assert!(is_direct(FIRST | DIRECT | (FILES_MAX - 1)));
    }
}
