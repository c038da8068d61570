//! From a request to a submission queue entry. Stateless.

use std::os::fd::RawFd;

use io_engine_core::{Operation, Ticket};
use io_uring::opcode;
use io_uring::squeue::Entry;
use io_uring::types::{Fd, FsyncFlags};

/// The opcodes that [`with_entry`] uses: a kernel without one of them is too old.
pub(crate) const OPCODES: [u8; 8] = [
    opcode::Read::CODE,
    opcode::Write::CODE,
    opcode::Readv::CODE,
    opcode::Writev::CODE,
    opcode::Fsync::CODE,
    opcode::Fallocate::CODE,
    opcode::PollAdd::CODE,
    opcode::Nop::CODE,
];

/// Makes the entry for one operation and hands it to `push`. It holds the operation's pointers, so it
/// must not outlive what they lead to.
///
/// The usual ones are handed over where they are made: an entry that could be any of several is put
/// together in memory first, and copied from there.
#[inline]
pub(crate) fn with_entry(
    fd: RawFd,
    operation: Operation,
    ticket: Ticket,
    push: impl FnOnce(&Entry),
) {
    let user_data = ticket.to_user_data();
    match operation {
        Operation::Read { start, len, offset } => {
            let read = opcode::Read::new(Fd(fd), start, len).offset(offset);
            push(&read.build().user_data(user_data));
        }
        Operation::Write { start, len, offset } => {
            let write = opcode::Write::new(Fd(fd), start, len).offset(offset);
            push(&write.build().user_data(user_data));
        }
        Operation::ReadVectored { .. }
        | Operation::WriteVectored { .. }
        | Operation::Sync
        | Operation::DataSync
        | Operation::Allocate { .. }
        | Operation::Nop => push(&other_entry(fd, operation, ticket)),
    }
}

fn other_entry(fd: RawFd, operation: Operation, ticket: Ticket) -> Entry {
    let fd = Fd(fd);
    let entry: Entry = match operation {
        Operation::Read { start, len, offset } => {
            opcode::Read::new(fd, start, len).offset(offset).build()
        }
        Operation::Write { start, len, offset } => {
            opcode::Write::new(fd, start, len).offset(offset).build()
        }
        Operation::ReadVectored {
            segments,
            count,
            offset,
        } => opcode::Readv::new(fd, segments, count)
            .offset(offset)
            .build(),
        Operation::WriteVectored {
            segments,
            count,
            offset,
        } => opcode::Writev::new(fd, segments, count)
            .offset(offset)
            .build(),
        Operation::Sync => opcode::Fsync::new(fd).build(),
        Operation::DataSync => opcode::Fsync::new(fd).flags(FsyncFlags::DATASYNC).build(),
        Operation::Allocate { mode, offset, len } => opcode::Fallocate::new(fd, len)
            .offset(offset)
            .mode(mode)
            .build(),
        Operation::Nop => opcode::Nop::new().build(),
    };
    entry.user_data(ticket.to_user_data())
}

/// The doorbell: completes when the eventfd is readable, and holds no memory.
pub(crate) fn doorbell_entry(eventfd: RawFd) -> Entry {
    let readable = u32::try_from(libc::POLLIN).unwrap_or_default();
    opcode::PollAdd::new(Fd(eventfd), readable)
        .build()
        .user_data(Ticket::DOORBELL.to_user_data())
}
