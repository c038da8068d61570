//! From a slot to the submission queue.
#![allow(
    unsafe_code,
    reason = "entries that hold addresses are pushed into the ring"
)]

use std::os::fd::{AsRawFd, RawFd};

use io_engine_core::{Completion, IOCallback, Operation, Ticket};
use io_uring::squeue::Entry;

use super::{Doorbell, UringBackend};
use crate::entry::{doorbell_entry, with_entry};

impl<C: IOCallback> UringBackend<C> {
    /// Writes the entry for a request that is in its slot.
    #[inline]
    pub(super) fn enqueue(&mut self, ticket: Ticket) {
        let request = self.in_flight.get_mut(ticket);
        let (fd, operation) = (request.fd(), request.operation());
        with_entry(fd, operation, ticket, |entry| self.push_entry(entry));
    }

    /// An event has got its slot, and what it asks for may be plain.
    #[inline]
    pub(super) fn has_taken_event(&mut self, ticket: Ticket, fd: RawFd, plain: Option<Operation>) {
        match plain {
            Some(operation) if self.broken.is_none() => {
                with_entry(fd, operation, ticket, |entry| self.push_entry(entry));
            }
            _ => self.has_taken(ticket),
        }
    }

    /// A request has got its slot: it is sent, unless the kernel has no part in it.
    #[inline]
    pub(super) fn has_taken(&mut self, ticket: Ticket) {
        if !self.in_flight.get_mut(ticket).needs_kernel() {
            let request = self.in_flight.remove(ticket);
            self.ready.push(Completion::without_kernel(request));
        } else if self.broken.is_none() {
            self.enqueue(ticket);
        }
    }

    pub(super) fn arm_doorbell(&mut self) {
        if self.doorbell == Doorbell::Idle {
            self.push_entry(&doorbell_entry(self.waker.as_raw_fd()));
            self.doorbell = Doorbell::Queued;
        }
    }

    #[inline]
    fn push_entry(&mut self, entry: &Entry) {
        // SAFETY: the addresses in a request's entry lead to memory that its events own. The slot
        // in `in_flight` owns the events until the completion with this ticket has been reaped:
        // `reap` takes them out, and `take_whole` the one event that `next_answer` has called whole, and
        // panics for every other ticket. `drop` leaks the slab if the kernel keeps a request, and what takes
        // them all out before leaks the buffers, unless the kernel has none of them any more or had
        // none yet: then the ring is not entered again. The doorbell's entry holds no address.
        let pushed = unsafe { self.ring.submission().push(entry) };
        pushed.expect("the submission queue has an entry for each slot and one for the doorbell");
        self.unanswered += 1;
    }
}
