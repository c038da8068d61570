//! A kernel made up for tests: one file in memory, and answers as short as a test wants them.
#![allow(
    unsafe_code,
    reason = "it moves bytes at raw addresses, as the kernel does"
)]

use io_engine_core::{IOCallback, Operation, Request};

/// One file.
#[derive(Debug)]
pub(crate) struct FakeKernel {
    pub(crate) file: Vec<u8>,
}

/// Where bytes go or come from, in order.
struct Segment {
    start: *mut u8,
    len: usize,
}

impl FakeKernel {
    /// Carries out what `request` asks for, moving at most `most` bytes, and answers how many.
    pub(crate) fn answer<C: IOCallback>(&mut self, request: &mut Request<C>, most: usize) -> i64 {
        let (segments, offset, writes) = match request.operation() {
            Operation::Read { start, len, offset } => (vec![one(start, len)], offset, false),
            Operation::Write { start, len, offset } => {
                (vec![one(start.cast_mut(), len)], offset, true)
            }
            Operation::ReadVectored {
                segments,
                count,
                offset,
            } => (many(segments, count), offset, false),
            Operation::WriteVectored {
                segments,
                count,
                offset,
            } => (many(segments, count), offset, true),
            Operation::Sync | Operation::DataSync | Operation::Allocate { .. } | Operation::Nop => {
                return 0;
            }
        };
        let mut at = usize::try_from(offset).expect("the files of the tests are small");
        let mut left = most;
        for segment in segments {
            let len = segment.len.min(left);
            let moved = if writes {
                self.write(&segment, at, len)
            } else {
                self.read(&segment, at, len)
            };
            at += moved;
            left -= moved;
            if moved < segment.len {
                break;
            }
        }
        i64::try_from(most - left).expect("the files of the tests are small")
    }

    fn read(&self, segment: &Segment, at: usize, len: usize) -> usize {
        let there = self.file.get(at..).unwrap_or_default();
        let len = len.min(there.len());
        // SAFETY: the request, which the caller of `answer` holds for the whole call, owns
        // `segment.len` writable bytes from `start` on, and `len` is at most that. The file is
        // memory of its own.
        unsafe { std::ptr::copy_nonoverlapping(there.as_ptr(), segment.start, len) };
        len
    }

    fn write(&mut self, segment: &Segment, at: usize, len: usize) -> usize {
        if len == 0 {
            return 0;
        }
        if self.file.len() < at + len {
            self.file.resize(at + len, 0);
        }
        let place = self.file[at..at + len].as_mut_ptr();
        // SAFETY: as in `read`, the other way round.
        unsafe { std::ptr::copy_nonoverlapping(segment.start, place, len) };
        len
    }
}

fn one(start: *mut u8, len: u32) -> Segment {
    Segment {
        start,
        len: usize::try_from(len).expect("a usize has 64 bits"),
    }
}

fn many(segments: *const libc::iovec, count: u32) -> Vec<Segment> {
    let count = usize::try_from(count).expect("a usize has 64 bits");
    // SAFETY: the request owns `count` iovecs from `segments` on, in place until its next
    // `operation`, which comes after this call.
    let segments = unsafe { std::slice::from_raw_parts(segments, count) };
    let segment = |iovec: &libc::iovec| Segment {
        start: iovec.iov_base.cast(),
        len: iovec.iov_len,
    };
    segments.iter().map(segment).collect()
}
