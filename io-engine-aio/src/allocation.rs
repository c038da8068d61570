//! The one operation that AIO has no opcode for.

use std::os::fd::RawFd;

use io_engine_core::Operation;
use rustix::io::Errno;

use crate::syscall;

/// How often a call that a signal interrupts is made again before that is its answer. Some file
/// systems undo what they have done by then, so that under a storm of signals it might never end.
const INTERRUPTED_COUNT_MAX: u32 = 100;

/// The arguments of a `fallocate`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allocation {
    mode: i32,
    offset: u64,
    len: u64,
}

impl Allocation {
    /// The allocation that `operation` is, if it is one.
    pub(crate) fn of(operation: Operation) -> Option<Self> {
        match operation {
            Operation::Allocate { mode, offset, len } => Some(Self { mode, offset, len }),
            Operation::Read { .. }
            | Operation::Write { .. }
            | Operation::ReadVectored { .. }
            | Operation::WriteVectored { .. }
            | Operation::Sync
            | Operation::DataSync
            | Operation::Nop => None,
        }
    }

    /// Makes the call, and blocks until the file system is done.
    pub(crate) fn carry_out(self, fd: RawFd) -> Result<(), Errno> {
        for _ in 1..INTERRUPTED_COUNT_MAX {
            match syscall::fallocate(fd, self.mode, self.offset, self.len) {
                Err(Errno::INTR) => {}
                answer => return answer,
            }
        }
        syscall::fallocate(fd, self.mode, self.offset, self.len)
    }
}
