//! A queue that is no more: every request comes back.

use std::mem;

use io_engine_core::{Completion, IOCallback, Request, Ticket};
use rustix::io::Errno;

use super::{Queue, Sleep, refused};
use crate::kernel_context::Kernel;

impl<C: IOCallback, K: Kernel> Queue<C, K> {
    /// Waits for nothing any more: appends every request with an error. If the kernel has some of them, it
    /// keeps them, and its side of the queue, until the process ends.
    pub(crate) fn abandon(&mut self, done: &mut Vec<Completion<C>>) {
        self.broken.get_or_insert(Errno::PIPE);
        // What has been answered by now is not lost.
        let _ = self.reap(Sleep::Not, done);
        self.give_back(Completion::given_up_unsent, Completion::given_up, done);
        // To leave it costs the whole system a part of fs.aio-max-nr, and the doorbell alone can be ended.
        self.keep_in_mind_what_is_left();
        if self.has_left_some {
            self.kernel.leave();
        }
    }

    /// Nothing more will come from the kernel: appends every request with an error.
    pub(super) fn give_back_everything(&mut self, errno: Errno, done: &mut Vec<Completion<C>>) {
        let unsent = |request| refused(request, errno);
        self.give_back(unsent, Completion::queue_broken, done);
        self.keep_in_mind_what_is_left();
    }

    /// Nobody reaps them any more, but to close the kernel's side would still wait for them.
    fn keep_in_mind_what_is_left(&mut self) {
        self.has_left_some |= mem::take(&mut self.in_kernel) > 0;
    }

    /// Ends what the kernel does not have as `unsent` says, and what it may still use as `begun` does.
    fn give_back(
        &mut self,
        unsent: impl Fn(Request<C>) -> Completion<C>,
        begun: fn(Request<C>) -> Completion<C>,
        done: &mut Vec<Completion<C>>,
    ) {
        done.append(&mut self.ready);
        let allocations = self.allocations.drain(..).map(|(ticket, _)| ticket);
        for ticket in self.unsent.drain(..).chain(allocations) {
            if ticket != Ticket::DOORBELL {
                done.push(unsent(self.requests.remove(ticket)));
            }
        }
        for ticket in self.requests.tickets() {
            done.push(begun(self.requests.remove(ticket)));
        }
    }
}
