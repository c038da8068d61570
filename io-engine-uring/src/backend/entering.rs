//! Entering the kernel, and what to do when it refuses.
#![allow(unsafe_code, reason = "a wait for the kernel to have room again")]

use std::io;
use std::time::Instant;

use io_engine_core::{Backend, IOCallback};
use io_uring::EnterFlags;
use io_uring::types::{SubmitArgs, Timespec};

use super::{Doorbell, UringBackend, ring_entries};
use crate::gathering::Target;
use crate::held_ring::HeldRing;
use crate::ring;

/// How a call of `io_uring_enter` ended.
pub(super) enum Entered {
    Normally,
    PastTheDeadline,
    WithoutRoom,
}

/// How often in a row the kernel may refuse a submission while it has no request of ours that could
/// end, each time after [`REFUSAL_PAUSE`], before the queue counts as broken: a second.
const REFUSALS_MAX: u32 = 1000;
const REFUSAL_PAUSE: Timespec = Timespec::new().nsec(1_000_000);
/// A timeout for sleeps that need none.
const SLEEP_MAX: Timespec = Timespec::new().sec(3600);

impl<C: IOCallback> UringBackend<C> {
    /// Submits what is queued and, if completions are `missing`, sleeps until some are there or the
    /// deadline has passed.
    ///
    /// Inlined, as all on the way to the kernel: the kernel's own returns empty the processor's
    /// prediction of ours, so each level between the loop and the call costs a wrong guess.
    #[inline(always)]
    pub(super) fn enter(
        &mut self,
        missing: usize,
        deadline: Option<Instant>,
    ) -> io::Result<Entered> {
        let target = match missing {
            0 => Target::NOTHING,
            _ => self.gathering.target(missing, self.in_flight.len()),
        };
        let submitter = self.ring.submitter();
        let entered = if deadline.is_none() && target.moment_us == 0 {
            submitter.submit_and_wait(target.count)
        } else {
            // Without a timeout the kernel takes the minimum wait for one.
            let left = deadline.map_or(SLEEP_MAX, |deadline| {
                Timespec::from(deadline.saturating_duration_since(Instant::now()))
            });
            let args = SubmitArgs::new()
                .min_wait_usec(target.moment_us)
                .timespec(&left);
            submitter.submit_with_args(target.count, &args)
        };
        if self.doorbell == Doorbell::Queued && self.ring.submission().is_empty() {
            self.doorbell = Doorbell::Armed;
        }
        match entered {
            Ok(_) => Ok(Entered::Normally),
            Err(error) => self.look_into_refusal(error, deadline),
        }
    }

    #[cold]
    fn look_into_refusal(
        &mut self,
        error: io::Error,
        deadline: Option<Instant>,
    ) -> io::Result<Entered> {
        match error.raw_os_error() {
            Some(libc::EINTR) => Ok(Entered::Normally),
            Some(libc::ETIME) if deadline.is_none() => Ok(Entered::Normally),
            Some(libc::ETIME) => Ok(Entered::PastTheDeadline),
            Some(libc::EAGAIN | libc::EBUSY) => self.wait_for_room(error),
            Some(libc::EEXIST) => self.move_to_this_thread(error),
            _ => Err(self.break_down(error)),
        }
    }

    /// The kernel has no room for a submission. A completion makes some, or time does.
    fn wait_for_room(&mut self, error: io::Error) -> io::Result<Entered> {
        if self.requests_in_kernel() == 0 {
            self.refusals += 1;
        }
        if self.refusals > REFUSALS_MAX {
            return Err(self.break_down(error));
        }
        let args = SubmitArgs::new().timespec(&REFUSAL_PAUSE);
        let flags = EnterFlags::GETEVENTS | EnterFlags::EXT_ARG;
        // SAFETY: the flags say that the argument is of this type; it lives until the call is over.
        let waited = unsafe { self.ring.submitter().enter(0, 1, flags.bits(), Some(&args)) };
        match waited.map_err(|error| error.raw_os_error()) {
            Ok(_) | Err(Some(libc::EINTR | libc::ETIME | libc::EAGAIN | libc::EBUSY)) => {
                Ok(Entered::WithoutRoom)
            }
            Err(_) => Err(self.break_down(error)),
        }
    }

    /// A ring cannot change its thread. With nothing in the kernel a new one takes its place.
    fn move_to_this_thread(&mut self, error: io::Error) -> io::Result<Entered> {
        if self.requests_in_kernel() > 0 {
            return Err(io::Error::new(
                error.kind(),
                "this io_uring backend has requests in flight that another thread has sent; drive it there until in_flight() is 0 before moving it",
            ));
        }
        let ring = ring::disabled_ring(self.flags, ring_entries(self.capacity()))?;
        ring::enable(&ring)?;
        self.ring = HeldRing::new(ring);
        self.ahead = None;
        self.unanswered = 0;
        self.doorbell = Doorbell::Idle;
        for ticket in self.in_flight.tickets() {
            self.enqueue(ticket);
        }
        Ok(Entered::Normally)
    }

    /// At least as many requests as the kernel has: one too many if it has taken the doorbell's
    /// entry and not those behind it.
    pub(super) fn requests_in_kernel(&mut self) -> usize {
        let entries = self.unanswered - self.ring.submission().len();
        entries - usize::from(self.doorbell == Doorbell::Armed)
    }

    pub(super) fn break_down(&mut self, error: io::Error) -> io::Error {
        tracing::error!(%error, "the io_uring queue is broken");
        self.broken = Some(error.raw_os_error().unwrap_or(libc::EIO));
        error
    }
}
