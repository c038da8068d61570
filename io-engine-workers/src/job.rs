//! What a thread is told of a request: a few words. The request itself stays in its slot.
#![allow(
    unsafe_code,
    reason = "what a thread is told holds addresses, which the compiler keeps on one thread"
)]

use std::os::fd::RawFd;

use io_engine_core::{IOCallback, InFlight, Operation, Ticket};

use crate::blocking_call::make_call;

/// A call, and whose it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job {
    pub(crate) ticket: Ticket,
    pub(crate) fd: RawFd,
    pub(crate) operation: Operation,
}

// SAFETY: the addresses in it lead to memory that the events of a request own. Those who make jobs of
// requests in slots, `SharedCalls` and `BlockingBackend`, remove a request only when its answer has been
// taken, and on drop only when no thread is left; or they leak what the addresses lead to. Nobody else
// touches that memory meanwhile.
unsafe impl Send for Job {}

/// Bytes from 0 on, below 0 a negated errno.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub(crate) ticket: Ticket,
    pub(crate) result: i64,
}

impl Job {
    /// What is left to do of the request in a slot.
    ///
    /// # Panics
    /// As [`Request::operation`](io_engine_core::Request::operation): what fails its check may not come
    /// here.
    #[inline]
    pub(crate) fn of<C: IOCallback>(slots: &mut InFlight<C>, ticket: Ticket) -> Self {
        let request = slots.get_mut(ticket);
        Self {
            ticket,
            fd: request.fd(),
            operation: request.operation(),
        }
    }

    /// Makes the call, on this thread.
    #[inline]
    pub(crate) fn make(self) -> Answer {
        self.answered(make_call(self.fd, self.operation))
    }

    pub(crate) fn answered(self, result: i64) -> Answer {
        Answer {
            ticket: self.ticket,
            result,
        }
    }
}
