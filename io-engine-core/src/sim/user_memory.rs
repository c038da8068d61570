//! The memory of a request as a kernel has it: addresses and lengths.
#![allow(
    unsafe_code,
    reason = "it moves bytes at raw addresses and borrows descriptors by number, as a kernel does"
)]

use std::os::fd::{BorrowedFd, RawFd};

use crate::operation::Operation;

/// Where the bytes of a request go or come from. Taken when the request is pushed and used when it is
/// answered, without a reference in between: memory that its owner has freed or moved meanwhile is
/// undefined behaviour here as it would be with a kernel, and a tool like Miri sees it.
#[derive(Debug)]
pub(super) struct UserMemory {
    segments: Vec<Segment>,
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    start: *mut u8,
    len: usize,
}

// SAFETY: a segment is an address and a length without an owner. The bytes behind it belong to the
// request in the slab of the same backend, which moves between threads together with this.
unsafe impl Send for UserMemory {}

impl UserMemory {
    /// The memory that `operation` names, which has been asked of a request that is in its slot. The
    /// request stays there until this has been used for the last time.
    pub(super) fn of(operation: &Operation) -> Self {
        let segments = match *operation {
            Operation::Read { start, len, .. } => vec![segment(start, len)],
            Operation::Write { start, len, .. } => vec![segment(start.cast_mut(), len)],
            Operation::ReadVectored {
                segments, count, ..
            }
            | Operation::WriteVectored {
                segments, count, ..
            } => listed(segments, count),
            Operation::Sync | Operation::DataSync | Operation::Allocate { .. } | Operation::Nop => {
                Vec::new()
            }
        };
        Self { segments }
    }

    /// How many bytes it is.
    pub(super) fn len(&self) -> usize {
        self.segments.iter().map(|segment| segment.len).sum()
    }

    /// Whether every piece of it begins at a multiple of `bytes`.
    pub(super) fn starts_at_multiples_of(&self, bytes: u64) -> bool {
        let mut segments = self.segments.iter();
        segments.all(|segment| (segment.start.addr() as u64).is_multiple_of(bytes))
    }

    /// Writes `from` to its beginning.
    pub(super) fn scatter(&self, mut from: &[u8]) {
        for segment in &self.segments {
            let (part, rest) = from.split_at(segment.len.min(from.len()));
            // SAFETY: the request owns `segment.len` bytes from `start` on and nobody refers to them
            // while it is in its slot, which it leaves only when this call has been answered. `part`
            // is no longer and is memory of the disk.
            unsafe { std::ptr::copy_nonoverlapping(part.as_ptr(), segment.start, part.len()) };
            from = rest;
        }
    }

    /// Fills `into` from its beginning.
    pub(super) fn gather(&self, mut into: &mut [u8]) {
        for segment in &self.segments {
            let (part, rest) = into.split_at_mut(segment.len.min(into.len()));
            // SAFETY: as in `scatter`, the other way round. The bytes of a write may be shared, and
            // nobody writes to them.
            unsafe { std::ptr::copy_nonoverlapping(segment.start, part.as_mut_ptr(), part.len()) };
            into = rest;
        }
    }
}

fn segment(start: *mut u8, len: u32) -> Segment {
    Segment {
        start,
        len: usize::try_from(len).expect("a usize has 64 bits"),
    }
}

fn listed(segments: *const libc::iovec, count: u32) -> Vec<Segment> {
    let count = usize::try_from(count).expect("a usize has 64 bits");
    // SAFETY: the request owns `count` iovecs from `segments` on, in place until its next
    // `operation`, and this is called right after the last.
    let segments = unsafe { std::slice::from_raw_parts(segments, count) };
    let segment = |iovec: &libc::iovec| Segment {
        start: iovec.iov_base.cast(),
        len: iovec.iov_len,
    };
    segments.iter().map(segment).collect()
}

/// The file behind a number that the caller of the engine keeps open, for one call.
pub(super) fn with_real_file<T>(fd: RawFd, act: impl FnOnce(BorrowedFd<'_>) -> T) -> Option<T> {
    if fd < 0 {
        return None;
    }
    // SAFETY: the number is not -1. The caller of the engine keeps the file open until its callback has
    // been called, as it is told to; one that is closed all the same is answered with EBADF.
    let file = unsafe { BorrowedFd::borrow_raw(fd) };
    Some(act(file))
}
