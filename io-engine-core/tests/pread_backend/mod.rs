//! A backend that does everything by itself inside `drive`, one blocking call after the other.
#![allow(
    unsafe_code,
    reason = "positioned reads and writes at raw addresses, on numbers that may not be open files"
)]

use std::collections::VecDeque;
use std::io;
use std::time::Instant;

use io_engine_core::{
    AlignmentGate, Backend, Completion, Full, IOCallback, Operation, Request, Wait, Waker,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Owns requests until `drive`, which answers as many as it is told to wait for.
#[derive(Debug)]
pub(crate) struct PreadBackend<C: IOCallback> {
    capacity: usize,
    pushed: VecDeque<Request<C>>,
    gate: AlignmentGate,
    waker: Waker,
    is_abandoned: bool,
}

impl<C: IOCallback> PreadBackend<C> {
    /// A backend for `depth` requests.
    pub(crate) fn new(depth: usize) -> Self {
        Self {
            capacity: depth,
            pushed: VecDeque::with_capacity(depth),
            gate: AlignmentGate::default(),
            waker: Waker::new().expect("a file descriptor"),
            is_abandoned: false,
        }
    }

    fn answer(&mut self, mut request: Request<C>) -> Completion<C> {
        if let Err(invalid) = request.check() {
            return Completion::invalid(request, invalid);
        }
        if request.is_complete() {
            return Completion::complete(request);
        }
        if let Err(invalid) = self.gate.check(&mut request) {
            return Completion::invalid(request, invalid);
        }
        let result = carry_out(&mut request);
        Completion::from_kernel(request, result)
    }

    /// Sleeps until the bell is rung or `until` has come.
    fn sleep(&self, until: Instant) {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).expect("a deadline within the range of time");
        let _ = poll(&mut [PollFd::new(&self.waker, PollFlags::IN)], Some(&left));
    }
}

impl<C: IOCallback> Backend<C> for PreadBackend<C> {
    fn capacity(&self) -> usize {
        self.capacity
    }

    fn in_flight(&self) -> usize {
        self.pushed.len()
    }

    fn push(&mut self, request: Request<C>) -> Result<(), Full<Request<C>>> {
        if self.pushed.len() == self.capacity {
            return Err(Full(request));
        }
        self.pushed.push_back(request);
        Ok(())
    }

    fn drive(&mut self, wait: Wait, done: &mut Vec<Completion<C>>) -> io::Result<()> {
        if self.is_abandoned {
            done.extend(self.pushed.drain(..).map(Completion::queue_broken_unsent));
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        // Never all of them unless it is told to wait: the suite must see requests in flight.
        let count = match wait {
            Wait::Never => self.pushed.len().div_ceil(2),
            Wait::For(count) => count.min(self.pushed.len()),
            Wait::Until(_) => self.pushed.len().min(1),
        };
        for _ in 0..count {
            // From both ends: an order is nowhere promised.
            let next = if count % 2 == 0 {
                self.pushed.pop_front()
            } else {
                self.pushed.pop_back()
            };
            if let Some(request) = next {
                let completion = self.answer(request);
                done.push(completion);
            }
        }
        if let Wait::Until(deadline) = wait
            && count == 0
        {
            self.sleep(deadline);
        }
        self.waker.hear();
        Ok(())
    }

    fn waker(&self) -> Waker {
        self.waker.clone()
    }

    fn abandon(&mut self, done: &mut Vec<Completion<C>>) {
        self.is_abandoned = true;
        done.extend(self.pushed.drain(..).map(Completion::given_up_unsent));
    }
}

/// The answer as the kernel would give it in a completion.
fn carry_out<C: IOCallback>(request: &mut Request<C>) -> i64 {
    let fd = request.fd();
    let signed = |number: u64| i64::try_from(number).expect("checked: at most i64::MAX");
    let length = |len: u32| usize::try_from(len).expect("a usize has 64 bits");
    let count = |count: u32| i32::try_from(count).expect("at most SEGMENTS_MAX");
    let result = match request.operation() {
        Operation::Read { start, len, offset } => {
            // SAFETY: `request` owns `len` bytes from `start` on until after this call.
            unsafe { libc::pread(fd, start.cast(), length(len), signed(offset)) as i64 }
        }
        Operation::Write { start, len, offset } => {
            // SAFETY: as for the read.
            unsafe { libc::pwrite(fd, start.cast(), length(len), signed(offset)) as i64 }
        }
        Operation::ReadVectored {
            segments,
            count: segment_count,
            offset,
        } => {
            // SAFETY: `request` owns the segments and the memory behind them until after this call.
            unsafe { libc::preadv(fd, segments, count(segment_count), signed(offset)) as i64 }
        }
        Operation::WriteVectored {
            segments,
            count: segment_count,
            offset,
        } => {
            // SAFETY: as for the vectored read.
            unsafe { libc::pwritev(fd, segments, count(segment_count), signed(offset)) as i64 }
        }
        // SAFETY: takes no pointer.
        Operation::Sync => i64::from(unsafe { libc::fsync(fd) }),
        // SAFETY: takes no pointer.
        Operation::DataSync => i64::from(unsafe { libc::fdatasync(fd) }),
        Operation::Allocate { mode, offset, len } => {
            // SAFETY: takes no pointer.
            i64::from(unsafe { libc::fallocate(fd, mode, signed(offset), signed(len)) })
        }
        Operation::Nop => 0,
    };
    if result >= 0 {
        return result;
    }
    let errno = io::Error::last_os_error().raw_os_error();
    -i64::from(errno.unwrap_or(libc::EIO))
}
