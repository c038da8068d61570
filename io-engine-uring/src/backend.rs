//! The backend: one ring, its requests, its doorbell.
#![allow(unsafe_code, reason = "the slab is dropped by hand, or leaked")]

use std::fmt;
use std::io;
use std::mem::ManuallyDrop;

use io_engine_core::{
    AlignmentGate, Answered, Backend, Completion, Full, IOCallback, IOEvent, InFlight, Request,
    StartError, Ticket, Wait, Waker, check_depth,
};

use crate::gathering::Gathering;
use crate::held_ring::HeldRing;
use crate::promptness::Promptness;
use crate::ring::{self, RingFlags};
use crate::settings::UringSettings;

mod driving;
mod entering;
mod giving_back;
mod queueing;

/// A ring and the requests in it.
///
/// Submission and completion queue are large enough for `depth` requests and the doorbell, and
/// never more are in flight: no queue can overflow.
///
/// The thread that drives it first owns the ring. It may move to another thread while nothing is
/// in flight, which costs setting up a new ring there; with requests in flight the kernel refuses
/// the other thread and [`drive`](Backend::drive) says so, losing nothing.
pub struct UringBackend<C: IOCallback> {
    ring: HeldRing,
    flags: RingFlags,
    /// The ring belongs to a thread and works.
    enabled: bool,
    /// On the heap for its address, and never freed while the kernel may use what is inside.
    in_flight: ManuallyDrop<InFlight<C>>,
    /// What never reaches the kernel: refused, or complete from the start.
    ready: Vec<Completion<C>>,
    /// The next answer, already taken from the ring: its slot is on its way into the cache.
    ahead: Option<Answer>,
    /// Entries written and not yet answered, the doorbell's among them.
    unanswered: usize,
    waker: Waker,
    doorbell: Doorbell,
    /// How often in a row the kernel had no room for a submission and nothing was answered.
    refusals: u32,
    gathering: Gathering,
    promptness: Promptness,
    broken: Option<i32>,
    /// The requests were taken out of their slots though the kernel may still answer them.
    is_given_up: bool,
}

/// An entry of the completion queue.
#[derive(Clone, Copy, Debug)]
struct Answer {
    ticket: Ticket,
    result: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doorbell {
    /// The kernel is not listening.
    Idle,
    /// Its entry has been written; the kernel may not have taken it yet.
    Queued,
    /// The kernel listens.
    Armed,
}

impl<C: IOCallback> UringBackend<C> {
    /// Sets a ring up and proves with a NOP that requests get through.
    ///
    /// # Errors
    /// A depth out of range, or io_uring is forbidden (`kernel.io_uring_disabled`, seccomp), too
    /// old, or short of a resource (`RLIMIT_MEMLOCK`, `RLIMIT_NOFILE`); the error names which, and
    /// what helps.
    pub fn new(settings: UringSettings) -> Result<Self, StartError> {
        let depth = check_depth(settings.depth)?;
        let flags = ring::probe_kernel()?;
        let entries = ring_entries(depth);
        let waker = Waker::new().map_err(|cause| ring::start_error("eventfd", cause, entries))?;
        let ring = ring::disabled_ring(flags, entries)?;
        Ok(Self {
            gathering: Gathering::new(ring.params().is_feature_min_timeout()),
            promptness: Promptness::new(),
            ring: HeldRing::new(ring),
            flags,
            enabled: false,
            in_flight: ManuallyDrop::new(InFlight::with_capacity(depth)),
            ready: Vec::with_capacity(depth),
            ahead: None,
            unanswered: 0,
            waker,
            doorbell: Doorbell::Idle,
            refusals: 0,
            broken: None,
            is_given_up: false,
        })
    }

    /// Whether the kernel asks to be entered. Only a hint: it raises the flag after the work has
    /// become visible, so the work may be done already and the flag stay up until the next.
    fn kernel_has_work(&mut self) -> bool {
        let queue = self.ring.submission();
        queue.taskrun() || queue.cq_overflow()
    }

    #[inline]
    fn next_entry(&mut self) -> Option<Answer> {
        if self.is_given_up {
            return None;
        }
        let entry = self.ring.completion().next()?;
        Some(Answer {
            ticket: Ticket::from_user_data(entry.user_data()),
            result: i64::from(entry.result()),
        })
    }

    /// Answers that nobody has taken.
    fn answer_count(&mut self) -> usize {
        usize::from(self.ahead.is_some()) + self.ring.completion().len()
    }
}

/// One entry for each request and one for the doorbell.
fn ring_entries(depth: usize) -> u32 {
    u32::try_from(depth + 1).expect("DEPTH_MAX + 1 entries fit")
}

impl<C: IOCallback> Backend<C> for UringBackend<C> {
    fn capacity(&self) -> usize {
        self.in_flight.capacity()
    }

    fn in_flight(&self) -> usize {
        self.in_flight.len() + self.ready.len()
    }

    #[inline]
    fn push(&mut self, request: Request<C>) -> Result<(), Full<Request<C>>> {
        if self.in_flight() == self.capacity() {
            return Err(Full(request));
        }
        // It is looked at in its slot: on the way there it would be copied once more.
        let (ticket, _) = self.in_flight.insert(request)?;
        self.has_taken(ticket);
        Ok(())
    }

    #[inline(always)]
    fn push_event(&mut self, event: IOEvent<C>) -> Result<(), Full<IOEvent<C>>> {
        if self.in_flight() == self.capacity() {
            return Err(Full(event));
        }
        let (ticket, request) = self.in_flight.insert_event(event)?;
        let (fd, plain) = (request.fd(), request.plain_operation());
        self.has_taken_event(ticket, fd, plain);
        Ok(())
    }

    #[inline]
    fn push_unseen(&mut self, event: IOEvent<C>) -> Result<(), IOEvent<C>> {
        if self.in_flight() == self.capacity() {
            return Err(event);
        }
        let inserted = self
            .in_flight
            .insert_if(event, AlignmentGate::passes_unseen);
        let (ticket, request) = inserted?;
        let (fd, plain) = (request.fd(), request.plain_operation());
        self.has_taken_event(ticket, fd, plain);
        Ok(())
    }

    fn drive(&mut self, wait: Wait, done: &mut Vec<Completion<C>>) -> io::Result<()> {
        self.take_back_untaken();
        match self.broken {
            None => {
                let result = self.drive_queue(wait, done);
                self.give_back_if_broken(result, done)
            }
            Some(errno) => self.give_back_if_broken(Err(io::Error::from_raw_os_error(errno)), done),
        }
    }

    #[inline(always)]
    fn drive_lazily(&mut self, wait: Wait, done: &mut Vec<Completion<C>>) -> io::Result<()> {
        if self.broken.is_some() {
            return self.drive(wait, done);
        }
        self.take_back_untaken();
        let result = self.send_and_wait(wait, done);
        match self.broken {
            None => result,
            Some(_) => self.give_back_if_broken(result, done),
        }
    }

    #[inline]
    fn next_answer(&mut self) -> Option<Answered<C>> {
        if let Some(untaken) = self.in_flight.untaken() {
            return Some(Answered::Other(untaken));
        }
        loop {
            let entry = self.ahead.take().or_else(|| self.next_entry())?;
            self.ahead = self.next_entry();
            if let Some(next) = &self.ahead {
                self.in_flight.prefetch(next.ticket);
            }
            self.unanswered -= 1;
            self.refusals = 0;
            if entry.ticket != Ticket::DOORBELL {
                return self.in_flight.answer(entry.ticket, entry.result);
            }
            self.doorbell = Doorbell::Idle;
            self.waker.hear();
        }
    }

    #[inline]
    fn take_callback(&mut self, ticket: Ticket) -> Option<C> {
        self.in_flight.take_callback(ticket)
    }

    #[inline]
    fn take_whole(&mut self, ticket: Ticket) -> IOEvent<C> {
        self.in_flight.take_whole(ticket)
    }

    fn waker(&self) -> Waker {
        self.waker.clone()
    }

    fn abandon(&mut self, done: &mut Vec<Completion<C>>) {
        self.broken.get_or_insert(libc::EPIPE);
        done.extend(self.in_flight.untaken());
        if !self.is_given_up {
            self.reap(done);
        }
        done.append(&mut self.ready);
        let end = match self.kernel_has_none() {
            true => Completion::given_up_unsent,
            false => Completion::given_up,
        };
        self.fail_all(end, done);
    }

    fn look_at_each(&self, look: &mut dyn FnMut(Ticket, &Request<C>)) {
        self.in_flight.look_at_each(look);
    }
}

impl<C: IOCallback> Drop for UringBackend<C> {
    fn drop(&mut self) {
        let mut done = Vec::with_capacity(self.capacity());
        // A ring that was never driven has sent nothing, and what was pushed is not sent now.
        while self.enabled && !self.in_flight.is_empty() {
            if let Err(error) = self.drive(Wait::For(1), &mut done)
                && self.broken.is_none()
            {
                let leaked = self.in_flight.len();
                tracing::error!(%error, leaked, "requests that the kernel still holds are leaked");
                return;
            }
            done.clear();
        }
        // SAFETY: the slab is empty, or nothing of it was ever sent: the kernel has none of its memory.
        // It is not used again.
        unsafe { ManuallyDrop::drop(&mut self.in_flight) };
    }
}

impl<C: IOCallback> fmt::Debug for UringBackend<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UringBackend")
            .field("flags", &self.flags)
            .field("in_flight", &self.in_flight())
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}
