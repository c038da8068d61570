//! The memory of a request as a kernel has it: addresses and lengths.
#![allow(
    unsafe_code,
    reason = "it moves bytes at raw addresses and borrows descriptors by number, as a kernel does"
)]

use std::os::fd::{BorrowedFd, RawFd};

use crate::operation::Operation;
use crate::scratch::Scratch;

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
    /// Of a hole: other requests may have the same memory.
    is_scratch: bool,
}

// SAFETY: a segment is an address and a length without an owner. The bytes behind it belong to the
// request in the slab of the same backend, which moves between threads together with this.
unsafe impl Send for UserMemory {}

impl UserMemory {
    /// The memory that `operation` names, which has been asked of a request that is in its slot, and whose
    /// holes go to `scratch`. The request stays there until this has been used for the last time.
    pub(super) fn of(operation: &Operation, scratch: Option<&Scratch>) -> Self {
        let segments = match *operation {
            Operation::Read { start, len, .. } => vec![segment(start, len)],
            Operation::Write { start, len, .. } => vec![segment(start.cast_mut(), len)],
            Operation::ReadVectored {
                segments, count, ..
            }
            | Operation::WriteVectored {
                segments, count, ..
            } => listed(segments, count, scratch),
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

    /// Writes `from` to its beginning, all but what falls into holes. A kernel would write that too, as
    /// several can at once: it means nothing. Two disks on two threads cannot, so they write nothing.
    pub(super) fn scatter(&self, mut from: &[u8]) {
        for segment in &self.segments {
            let (part, rest) = from.split_at(segment.len.min(from.len()));
            from = rest;
            if segment.is_scratch {
                continue;
            }
            // SAFETY: the segment is of an event's own buffer. The request owns its `segment.len` bytes
            // from `start` on and nobody refers to them while it is in its slot, which it leaves only
            // when this call has been answered. `part` is no longer and is memory of the disk.
            unsafe { std::ptr::copy_nonoverlapping(part.as_ptr(), segment.start, part.len()) };
        }
    }

    /// Fills `into` from its beginning.
    pub(super) fn gather(&self, mut into: &mut [u8]) {
        for segment in &self.segments {
            let (part, rest) = into.split_at_mut(segment.len.min(into.len()));
            // SAFETY: as in `scatter`, the other way round: a write has no holes. Its bytes may be
            // shared, and nobody writes to them.
            unsafe { std::ptr::copy_nonoverlapping(segment.start, part.as_mut_ptr(), part.len()) };
            into = rest;
        }
    }
}

fn segment(start: *mut u8, len: u32) -> Segment {
    Segment {
        start,
        len: usize::try_from(len).expect("a usize has 64 bits"),
        is_scratch: false,
    }
}

fn listed(segments: *const libc::iovec, count: u32, scratch: Option<&Scratch>) -> Vec<Segment> {
    let count = usize::try_from(count).expect("a usize has 64 bits");
    // SAFETY: the request owns `count` iovecs from `segments` on, in place until its next
    // `operation`, and this is called right after the last.
    let segments = unsafe { std::slice::from_raw_parts(segments, count) };
    let segment = |iovec: &libc::iovec| Segment {
        start: iovec.iov_base.cast(),
        len: iovec.iov_len,
        is_scratch: scratch.is_some_and(|scratch| iovec.iov_base == scratch.kernel_ptr().cast()),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::IOAction;
    use crate::completion::Completion;
    use crate::event::IOEvent;
    use crate::request::Request;
    use crate::run_pool::RunPool;

    #[test]
    fn what_falls_into_a_hole_is_written_nowhere() {
        let scratch = Scratch::new(10).unwrap();
        let mut run = RunPool::<()>::with_capacity(1).take().unwrap();
        for offset in [0, 15] {
            let event = IOEvent::new(-1, vec![0; 5].into(), IOAction::Read, offset);
            run.push_over_hole(event, &scratch).unwrap();
        }
        let mut request: Request<()> = run.into_request().unwrap();
        let operation = request.operation();
        let memory = UserMemory::of(&operation, Some(&scratch));
        assert_eq!(memory.len(), 20);
        memory.scatter(&[7; 20]);

        // SAFETY: the scratch memory has bytes, and nobody writes to it any more.
        assert_eq!(unsafe { scratch.kernel_ptr().read() }, 0);
        let mut events = Vec::new();
        Completion::from_kernel(request, 20).report(&mut events);
        for event in events {
            assert_eq!(*event.get_read_result().unwrap(), [7; 5]);
        }
    }
}
