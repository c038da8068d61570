//! A ring that is no more: every request comes back.

use std::io;

use io_engine_core::{Completion, IOCallback, Request};

use super::UringBackend;

impl<C: IOCallback> UringBackend<C> {
    /// Whether the kernel has begun to refuse the ring as such, as under a sandbox that came later. The
    /// drive that found out has failed, and every request has come back.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        self.broken.is_some_and(is_forbidden)
    }

    /// On the way out of a drive.
    pub(super) fn give_back_if_broken(
        &mut self,
        result: io::Result<()>,
        done: &mut Vec<Completion<C>>,
    ) -> io::Result<()> {
        if let Some(errno) = self.broken {
            if !self.is_given_up {
                self.reap(done);
            }
            done.append(&mut self.ready);
            if is_forbidden(errno) && !self.is_given_up {
                self.give_back_forbidden(errno, done);
            } else {
                // A ring that was left cannot be asked.
                let end = match self.kernel_has_none() {
                    true => Completion::queue_broken_unsent,
                    false => Completion::queue_broken,
                };
                self.leave_if_lost(errno);
                self.fail_all(end, done);
            }
        }
        result
    }

    /// A sandbox has forbidden the ring in mid-life. Nothing more is heard of what the kernel has, so it
    /// is made to let go, and then every request can be had back with its buffers: as one that was not
    /// carried out, if the kernel never had it or if doing it twice is doing it once.
    fn give_back_forbidden(&mut self, errno: i32, done: &mut Vec<Completion<C>>) {
        let may_have_begun = !self.kernel_has_none();
        self.leave_if_lost(errno);
        if may_have_begun && !self.ring.let_go() {
            return self.fail_all(Completion::queue_broken, done);
        }
        self.is_given_up = true;
        for ticket in self.in_flight.tickets() {
            let request = self.in_flight.remove(ticket);
            done.push(match !may_have_begun || request.can_be_repeated() {
                true => Completion::not_carried_out(request),
                false => Completion::queue_broken_unsent(request),
            });
        }
    }

    /// Somebody has closed the ring's descriptor, and another file may have its number by now: to close it
    /// would hit that one. What is no ring answers with `EOPNOTSUPP`, and so may a sandbox for one.
    fn leave_if_lost(&mut self, errno: i32) {
        let is_lost = match errno {
            libc::EBADF => true,
            libc::EOPNOTSUPP => !self.ring.leads_to_a_ring(),
            _ => false,
        };
        if is_lost {
            self.ring.leave();
        }
    }

    /// Whether every request that is here is certain to be unknown to the kernel, and stays so if the
    /// ring is not entered again. If it may have one, that may be any of them.
    pub(super) fn kernel_has_none(&mut self) -> bool {
        self.is_given_up || self.requests_in_kernel() == 0
    }

    /// Gives every request back; `end` leaks their buffers, unless the [kernel has
    /// none](Self::kernel_has_none). What comes once it has ended for all has not been sent.
    pub(super) fn fail_all(
        &mut self,
        end: fn(Request<C>) -> Completion<C>,
        done: &mut Vec<Completion<C>>,
    ) {
        let end = match self.is_given_up {
            true => Completion::queue_broken_unsent,
            false => end,
        };
        self.is_given_up = true;
        for ticket in self.in_flight.tickets() {
            done.push(end(self.in_flight.remove(ticket)));
        }
    }
}

/// Whether it is said of the ring, and not of a request in it. `EIO` never is.
fn is_forbidden(errno: i32) -> bool {
    matches!(
        errno,
        libc::EPERM | libc::EACCES | libc::ENOSYS | libc::EOPNOTSUPP
    )
}
