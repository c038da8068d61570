//! One turn of the ring: send, wait, collect.

use std::io;

use io_engine_core::{Backend, Completion, IOCallback, Ticket, Wait};

use super::entering::Entered;
use super::{Doorbell, UringBackend};
use crate::ring;

impl<C: IOCallback> UringBackend<C> {
    /// Moves what has been answered to `done`; says whether the doorbell was rung.
    pub(super) fn reap(&mut self, done: &mut Vec<Completion<C>>) -> bool {
        let mut rung = false;
        while let Some(entry) = self.ahead.take().or_else(|| self.next_entry()) {
            self.unanswered -= 1;
            self.refusals = 0;
            if entry.ticket == Ticket::DOORBELL {
                self.doorbell = Doorbell::Idle;
                rung |= self.waker.hear();
                continue;
            }
            self.in_flight.complete(entry.ticket, entry.result, done);
        }
        rung
    }

    /// What was called whole and not taken is to be yielded like what never reached the kernel.
    #[inline]
    pub(super) fn take_back_untaken(&mut self) {
        if let Some(untaken) = self.in_flight.untaken() {
            self.ready.push(untaken);
        }
    }

    /// As [`drive_queue`](Self::drive_queue), but answers stay where the kernel has put them.
    #[inline(always)]
    pub(super) fn send_and_wait(
        &mut self,
        wait: Wait,
        done: &mut Vec<Completion<C>>,
    ) -> io::Result<()> {
        self.enable()?;
        let (target, deadline) = wait.target(self.in_flight());
        let known = self.ready.len();
        if known > 0 {
            done.append(&mut self.ready);
        }
        // The doorbell may be among them: then there is something to look at as well.
        let answered = self.answer_count();
        let missing = target.saturating_sub(known + answered);
        if missing == 0 && self.ring.submission().is_empty() && !self.kernel_has_work() {
            return Ok(());
        }
        if missing > 0 {
            self.arm_doorbell();
            let sends = !self.ring.submission().is_empty();
            if sends
                && self.promptness.is_likely()
                && self.is_answered_at_once(answered, missing)?
            {
                return Ok(());
            }
        }
        self.enter(missing, deadline)?;
        if missing > 0 && self.gathering.is_learning() {
            let came = self.answer_count().saturating_sub(answered);
            self.gathering.learn(came);
        }
        Ok(())
    }

    /// Sends what is queued without waiting for answers; says whether that has brought the `missing` ones.
    #[inline(always)]
    fn is_answered_at_once(&mut self, answered: usize, missing: usize) -> io::Result<bool> {
        self.enter(0, None)?;
        let was_prompt = self.answer_count() >= answered + missing;
        self.promptness.learn(was_prompt);
        Ok(was_prompt)
    }

    /// The first thread that drives it gets the ring.
    #[inline]
    fn enable(&mut self) -> io::Result<()> {
        match self.enabled {
            true => Ok(()),
            false => self.enable_here(),
        }
    }

    #[cold]
    fn enable_here(&mut self) -> io::Result<()> {
        ring::enable(&self.ring).map_err(|error| self.break_down(error))?;
        self.enabled = true;
        Ok(())
    }

    pub(super) fn drive_queue(
        &mut self,
        wait: Wait,
        done: &mut Vec<Completion<C>>,
    ) -> io::Result<()> {
        self.enable()?;
        let before = done.len();
        let owned = self.in_flight();
        done.append(&mut self.ready);
        let (target, deadline) = wait.target(owned);
        let mut over = self.reap(done);
        let mut hinted = self.kernel_has_work();
        loop {
            let missing = if over {
                0
            } else {
                target.saturating_sub(done.len() - before)
            };
            if missing == 0 && !hinted && self.ring.submission().is_empty() {
                return Ok(());
            }
            hinted = false;
            if missing > 0 {
                self.arm_doorbell();
            }
            let reaped = done.len();
            let entered = self.enter(missing, deadline)?;
            over |= self.reap(done);
            if missing > 0 {
                self.gathering.learn(done.len() - reaped);
            }
            match entered {
                Entered::Normally => {}
                Entered::PastTheDeadline => over = true,
                // What was pushed stays queued for the next drive.
                Entered::WithoutRoom if missing == 0 => return Ok(()),
                Entered::WithoutRoom => {}
            }
        }
    }
}
