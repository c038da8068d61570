//! What the kernel reads of a request and writes about an answer.
//!
//! Layouts and numbers are those of the kernel's `linux/aio_abi.h`. Nothing here has a state or
//! makes a call.

use std::os::fd::RawFd;

use io_engine_core::{Operation, Ticket};

/// `IOCB_CMD_*`.
mod opcode {
    pub(super) const PREAD: u16 = 0;
    pub(super) const PWRITE: u16 = 1;
    pub(super) const FSYNC: u16 = 2;
    pub(super) const FDSYNC: u16 = 3;
    pub(super) const POLL: u16 = 5;
    pub(super) const PREADV: u16 = 7;
    pub(super) const PWRITEV: u16 = 8;
}

/// `struct iocb`: one request, as the kernel copies it during `io_submit`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ControlBlock {
    /// Comes back in [`KernelEvent::user_data`].
    user_data: u64,
    /// `aio_key`, which the kernel writes, and `aio_rw_flags`; their order depends on the byte
    /// order of the machine. Both are 0 here.
    key_and_flags: [u32; 2],
    opcode: u16,
    priority: i16,
    fd: u32,
    /// An address, or the events to poll for.
    buffer: u64,
    /// Bytes, or segments of a vectored transfer.
    count: u64,
    offset: u64,
    reserved: u64,
    flags: u32,
    result_fd: u32,
}

const _: () = assert!(size_of::<ControlBlock>() == 64);
const _: () = assert!(std::mem::offset_of!(ControlBlock, opcode) == 16);
const _: () = assert!(std::mem::offset_of!(ControlBlock, fd) == 20);
const _: () = assert!(std::mem::offset_of!(ControlBlock, buffer) == 24);
const _: () = assert!(std::mem::offset_of!(ControlBlock, result_fd) == 60);

/// `struct io_event`: one answer.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KernelEvent {
    pub(crate) user_data: u64,
    control_block: u64,
    /// Bytes from 0 on, below 0 a negated errno.
    pub(crate) result: i64,
    result2: i64,
}

const _: () = assert!(size_of::<KernelEvent>() == 32);
const _: () = assert!(std::mem::offset_of!(KernelEvent, result) == 16);

impl ControlBlock {
    /// The block for `operation` on `fd`, or `None` if AIO has no opcode for it.
    pub(crate) fn for_operation(operation: Operation, fd: RawFd, ticket: Ticket) -> Option<Self> {
        let (opcode, buffer, count, offset) = match operation {
            Operation::Read { start, len, offset } => {
                (opcode::PREAD, address(start), u64::from(len), offset)
            }
            Operation::Write { start, len, offset } => {
                (opcode::PWRITE, address(start), u64::from(len), offset)
            }
            Operation::ReadVectored {
                segments,
                count,
                offset,
            } => (opcode::PREADV, address(segments), u64::from(count), offset),
            Operation::WriteVectored {
                segments,
                count,
                offset,
            } => (opcode::PWRITEV, address(segments), u64::from(count), offset),
            Operation::Sync => (opcode::FSYNC, 0, 0, 0),
            Operation::DataSync => (opcode::FDSYNC, 0, 0, 0),
            Operation::Allocate { .. } | Operation::Nop => return None,
        };
        Some(Self {
            user_data: ticket.to_user_data(),
            opcode,
            fd: fd.cast_unsigned(),
            buffer,
            count,
            offset,
            ..Self::default()
        })
    }

    /// The block that is answered, with [`Ticket::DOORBELL`], as soon as `eventfd` is readable.
    pub(crate) fn for_doorbell(eventfd: RawFd) -> Self {
        Self {
            user_data: Ticket::DOORBELL.to_user_data(),
            opcode: opcode::POLL,
            fd: eventfd.cast_unsigned(),
            buffer: u64::from(libc::POLLIN.cast_unsigned()),
            ..Self::default()
        }
    }
}

/// The kernel's side of it.
#[cfg(test)]
impl ControlBlock {
    pub(crate) fn user_data(&self) -> u64 {
        self.user_data
    }

    pub(crate) fn opcode(&self) -> u16 {
        self.opcode
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }
}

#[cfg(test)]
impl KernelEvent {
    pub(crate) fn of(user_data: u64, result: i64) -> Self {
        Self {
            user_data,
            result,
            ..Self::default()
        }
    }
}

/// The number by which the kernel knows the memory.
fn address<T>(start: *const T) -> u64 {
    start.expose_provenance() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticket() -> Ticket {
        Ticket::from_user_data(7 << 32 | 3)
    }

    #[test]
    fn a_transfer_says_where_how_much_and_from_which_offset() {
        let mut byte = 0u8;
        let start = &raw mut byte;
        let read = Operation::Read {
            start,
            len: 512,
            offset: 1 << 40,
        };
        let block = ControlBlock::for_operation(read, 9, ticket()).unwrap();
        assert_eq!(block.opcode, opcode::PREAD);
        assert_eq!(block.fd, 9);
        assert_eq!(block.buffer, start as u64);
        assert_eq!((block.count, block.offset), (512, 1 << 40));
        assert_eq!(block.user_data, ticket().to_user_data());

        let write = Operation::Write {
            start,
            len: 1,
            offset: 0,
        };
        let block = ControlBlock::for_operation(write, 9, ticket()).unwrap();
        assert_eq!(block.opcode, opcode::PWRITE);
    }

    #[test]
    fn a_vectored_transfer_counts_segments() {
        let segments = [libc::iovec {
            iov_base: std::ptr::null_mut(),
            iov_len: 4096,
        }; 3];
        let write = Operation::WriteVectored {
            segments: segments.as_ptr(),
            count: 3,
            offset: 8192,
        };
        let block = ControlBlock::for_operation(write, 9, ticket()).unwrap();
        assert_eq!(block.opcode, opcode::PWRITEV);
        assert_eq!(block.buffer, segments.as_ptr() as u64);
        assert_eq!((block.count, block.offset), (3, 8192));
    }

    #[test]
    fn d22_a_sync_has_an_opcode_of_its_own_and_all_else_is_zero() {
        for (operation, opcode) in [(Operation::Sync, 2), (Operation::DataSync, 3)] {
            let block = ControlBlock::for_operation(operation, 9, ticket()).unwrap();
            let expected = ControlBlock {
                user_data: ticket().to_user_data(),
                opcode,
                fd: 9,
                ..ControlBlock::default()
            };
            assert_eq!(block, expected);
        }
    }

    #[test]
    fn an_allocation_has_no_block() {
        let allocate = Operation::Allocate {
            mode: 0,
            offset: 0,
            len: 1,
        };
        assert_eq!(ControlBlock::for_operation(allocate, 9, ticket()), None);
    }

    #[test]
    fn the_fields_lie_where_those_of_the_c_struct_lie() {
        use std::mem::offset_of;
        assert_eq!(size_of::<ControlBlock>(), size_of::<libc::iocb>());
        let ours = [
            offset_of!(ControlBlock, user_data),
            offset_of!(ControlBlock, opcode),
            offset_of!(ControlBlock, priority),
            offset_of!(ControlBlock, fd),
            offset_of!(ControlBlock, buffer),
            offset_of!(ControlBlock, count),
            offset_of!(ControlBlock, offset),
            offset_of!(ControlBlock, flags),
            offset_of!(ControlBlock, result_fd),
        ];
        let theirs = [
            offset_of!(libc::iocb, aio_data),
            offset_of!(libc::iocb, aio_lio_opcode),
            offset_of!(libc::iocb, aio_reqprio),
            offset_of!(libc::iocb, aio_fildes),
            offset_of!(libc::iocb, aio_buf),
            offset_of!(libc::iocb, aio_nbytes),
            offset_of!(libc::iocb, aio_offset),
            offset_of!(libc::iocb, aio_flags),
            offset_of!(libc::iocb, aio_resfd),
        ];
        assert_eq!(ours, theirs);
    }
}
