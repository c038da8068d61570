//! Calls to files that are not simulated, for suites of tests whose files are real.

use std::os::fd::RawFd;

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use super::user_memory::with_real_file;

type Answer<T> = Result<T, i32>;

pub(super) fn read(fd: RawFd, offset: u64, into: &mut [u8]) -> Answer<usize> {
    answer(with_real_file(fd, |file| {
        rustix::io::pread(file, into, offset)
    }))
}

pub(super) fn write(fd: RawFd, offset: u64, from: &[u8]) -> Answer<usize> {
    answer(with_real_file(fd, |file| {
        rustix::io::pwrite(file, from, offset)
    }))
}

pub(super) fn sync(fd: RawFd) -> Answer<()> {
    answer(with_real_file(fd, |file| rustix::fs::fsync(file)))
}

pub(super) fn data_sync(fd: RawFd) -> Answer<()> {
    answer(with_real_file(fd, |file| rustix::fs::fdatasync(file)))
}

pub(super) fn allocate(fd: RawFd, mode: i32, offset: u64, len: u64) -> Answer<()> {
    let mode = FallocateFlags::from_bits_retain(mode.cast_unsigned());
    answer(with_real_file(fd, |file| {
        rustix::fs::fallocate(file, mode, offset, len)
    }))
}

fn answer<T>(result: Option<Result<T, Errno>>) -> Answer<T> {
    match result {
        Some(result) => result.map_err(Errno::raw_os_error),
        None => Err(libc::EBADF),
    }
}
