//! The system calls, each with its errors decoded once.
//!
//! `syscall(2)` answers a failure with -1 and puts the number into `errno`. Only here is that
//! seen; everyone above gets an [`Errno`].
#![allow(
    unsafe_code,
    reason = "native AIO has no safe interface, neither in libc nor in rustix"
)]

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use rustix::io::Errno;

use crate::control_block::{ControlBlock, KernelEvent};

/// `aio_context_t`: the number of a context, valid in this address space alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ContextId(libc::c_ulong);

impl ContextId {
    /// A context that is not there, whatever else is.
    #[cfg(test)]
    pub(crate) const NONE: Self = Self(0);
}

/// A context for `entries` requests in the kernel.
pub(crate) fn io_setup(entries: u32) -> Result<ContextId, Errno> {
    let mut id: libc::c_ulong = 0;
    // SAFETY: the kernel reads and writes one unsigned long behind the pointer, which this frame
    // owns until the call is over.
    let answer = unsafe { libc::syscall(libc::SYS_io_setup, entries, &raw mut id) };
    decode(answer).map(|_| ContextId(id))
}

/// Ends the context. Cancels what can be cancelled and returns when the kernel has let go of
/// every request in it.
pub(crate) fn io_destroy(id: ContextId) -> Result<(), Errno> {
    // SAFETY: takes no pointer; a number that is no context of this process is refused.
    let answer = unsafe { libc::syscall(libc::SYS_io_destroy, id.0) };
    decode(answer).map(drop)
}

/// Hands over the blocks behind `batch`, in order, and says how many were accepted. The error is
/// that of the first one; then none was accepted.
///
/// # Safety
/// Each pointer leads to a block that nobody else uses during the call. What a block refers to
/// stays allocated, in place and untouched until its event has been reaped.
pub(crate) unsafe fn io_submit(
    id: ContextId,
    batch: &mut [*mut ControlBlock],
) -> Result<usize, Errno> {
    let count = batch.len();
    let pointers = batch.as_mut_ptr();
    // SAFETY: the kernel reads `count` pointers, which the slice holds, and the blocks behind
    // them, and writes the key into each block. The caller guarantees the blocks and what they
    // refer to.
    let answer = unsafe { libc::syscall(libc::SYS_io_submit, id.0, count, pointers) };
    decode(answer)
}

/// Waits for at least `min` events, but not longer than `timeout` (`None`: for ever), and says how
/// many were written to the start of `events`.
pub(crate) fn io_getevents(
    id: ContextId,
    min: usize,
    events: &mut [KernelEvent],
    timeout: Option<Duration>,
) -> Result<usize, Errno> {
    let mut timeout = timeout.map(|left| libc::timespec {
        // 68 years at most, which fits every `time_t`.
        tv_sec: i32::try_from(left.as_secs()).unwrap_or(i32::MAX).into(),
        tv_nsec: i32::try_from(left.subsec_nanos())
            .expect("below a billion")
            .into(),
    });
    let timeout = timeout
        .as_mut()
        .map_or(std::ptr::null_mut(), |left| &raw mut *left);
    let max = events.len();
    let first = events.as_mut_ptr();
    // SAFETY: the kernel writes at most `max` events from `first` on, which is the slice, and
    // reads the time, which this frame owns, or nothing where it is null. Events are made of
    // integers, so whatever it writes is a value.
    let answer = unsafe { libc::syscall(libc::SYS_io_getevents, id.0, min, max, first, timeout) };
    decode(answer)
}

/// `fallocate(2)`.
pub(crate) fn fallocate(fd: RawFd, mode: i32, offset: u64, len: u64) -> Result<(), Errno> {
    let offset = i64::try_from(offset).map_err(|_| Errno::FBIG)?;
    let len = i64::try_from(len).map_err(|_| Errno::FBIG)?;
    // SAFETY: takes no pointer; a number that is not an open file is refused.
    let answer = unsafe { libc::fallocate64(fd, mode, offset, len) };
    decode(answer.into()).map(drop)
}

/// The one place that knows how a C function says no.
fn decode(answer: libc::c_long) -> Result<usize, Errno> {
    usize::try_from(answer).map_err(|_| last_errno())
}

fn last_errno() -> Errno {
    Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::IO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d5_a_failure_is_the_errno_and_not_minus_one() {
        // -1 taken for a negated errno would be EPERM in each of these.
        assert_eq!(io_setup(0), Err(Errno::INVAL));
        assert_eq!(io_destroy(ContextId::NONE), Err(Errno::INVAL));
        let none = Some(Duration::ZERO);
        let events = &mut [KernelEvent::default(); 1];
        assert_eq!(
            io_getevents(ContextId::NONE, 0, events, none),
            Err(Errno::INVAL)
        );
        // SAFETY: an empty batch leads to no block.
        let answer = unsafe { io_submit(ContextId::NONE, &mut []) };
        assert_eq!(answer, Err(Errno::INVAL));
        assert_eq!(fallocate(-1, 0, 0, 1), Err(Errno::BADF));
    }

    #[test]
    fn d5_a_block_with_a_bad_descriptor_is_ebadf() {
        let id = io_setup(1).unwrap();
        let mut block = ControlBlock::for_doorbell(-1);
        let batch = &mut [&raw mut block];
        // SAFETY: the block is on this frame, and the kernel refuses it, so it refers to nothing.
        let answer = unsafe { io_submit(id, batch) };
        io_destroy(id).unwrap();
        assert_eq!(answer, Err(Errno::BADF));
    }

    #[test]
    fn a_wait_ends_with_its_time() {
        let id = io_setup(1).unwrap();
        let start = std::time::Instant::now();
        let left = Duration::from_millis(5);
        let answer = io_getevents(id, 1, &mut [KernelEvent::default(); 1], Some(left));
        io_destroy(id).unwrap();
        assert_eq!(answer, Ok(0));
        assert!(start.elapsed() >= left);
    }

    #[test]
    fn d23_an_allocation_beyond_the_largest_offset_is_too_big() {
        assert_eq!(fallocate(-1, 0, 0, u64::MAX), Err(Errno::FBIG));
    }
}
