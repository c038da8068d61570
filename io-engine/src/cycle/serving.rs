//! Answers, one by one: each with its callback, and with what that hands over.

use std::cell::{Cell, RefCell};
use std::vec::Drain;

use io_engine_core::{
    Answered, Backend, Completion, Delivered, IOCallback, IOEvent, Serves, Ticket, deliver_all,
};

use super::Cycle;
use crate::callback_scope::{Accepts, LoopScope, entered};
use crate::doorbell::Doorbell;
use crate::submit_error::SubmitError;

/// What happens to the events that callbacks on the loop's thread hand over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resubmitted {
    /// Each is admitted right after the callback, while there is room: it finds the slot of the
    /// event before it in the cache.
    AdmittedAtOnce,
    /// They stay in the scope: others are to have their turn.
    LeftInScope,
}

/// What serving has brought about.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Served {
    /// Events that callbacks have handed over and that were admitted.
    pub(crate) admitted: usize,
    pub(crate) delivered: Delivered,
}

/// A cycle while its callbacks are called: they reach it too.
struct Serving<'a, C: IOCallback, B: Backend<C>> {
    cycle: &'a RefCell<Cycle<C, B>>,
    scope: &'a LoopScope<C>,
    resubmitted: Resubmitted,
    admitted: Cell<usize>,
}

impl<C: IOCallback, B: Backend<C>> Accepts<C> for Serving<'_, C, B> {
    fn channel(&self) -> Option<&Doorbell> {
        self.scope.channel()
    }

    fn accept(&self, event: IOEvent<C>) -> Result<(), SubmitError<IOEvent<C>>> {
        // It is borrowed only if what a user's memory does on drop sends something.
        if self.resubmitted == Resubmitted::AdmittedAtOnce
            && let Ok(mut cycle) = self.cycle.try_borrow_mut()
            && cycle.has_place()
            // What is held back to be joined takes no place yet.
            && (cycle.batch_max().is_none()
                || self.scope.has_right()
                || self.admitted.get() < cycle.depth())
            && self.scope.lets_pass()
        {
            let admitted = cycle.admit(event);
            self.admitted.set(self.admitted.get() + admitted);
            return Ok(());
        }
        self.scope.push(event, self.admitted.get())
    }
}

/// What there is to serve.
struct Answers<'a, C: IOCallback, B: Backend<C>> {
    /// Comes before what the backend has kept.
    done: Drain<'a, Completion<C>>,
    serving: &'a Serving<'a, C, B>,
}

impl<C: IOCallback, B: Backend<C>> Serves<C> for Answers<'_, C, B> {
    #[inline]
    fn next_answer(&mut self) -> Option<Answered<C>> {
        // Counted when it is served: what is looked into here would be copied.
        match self.done.next() {
            Some(completion) => Some(Answered::Other(completion)),
            None => self.serving.cycle.borrow_mut().backend.next_answer(),
        }
    }

    #[inline]
    fn take_callback(&mut self, ticket: Ticket) -> Option<C> {
        self.serving
            .cycle
            .borrow_mut()
            .backend
            .take_callback(ticket)
    }

    #[inline]
    fn take_whole(&mut self, ticket: Ticket) -> IOEvent<C> {
        self.serving.cycle.borrow_mut().backend.take_whole(ticket)
    }

    fn settle(&mut self, completion: Completion<C>, finished: &mut Vec<IOEvent<C>>) {
        self.serving.cycle.borrow_mut().settle(completion, finished);
    }

    #[inline]
    fn before_callback(&mut self) {
        self.serving.scope.renew_right();
    }
}

/// Calls the callbacks of what the last turn of `cycle` has brought, inside `scope`. What they hand
/// over is admitted as `resubmitted` says.
pub(crate) fn serve<C: IOCallback, B: Backend<C>>(
    cycle: &RefCell<Cycle<C, B>>,
    scope: &LoopScope<C>,
    resubmitted: Resubmitted,
) -> Served {
    let (mut done, mut finished) = cycle.borrow_mut().take_lists();
    let serving = Serving {
        cycle,
        scope,
        resubmitted,
        admitted: Cell::new(0),
    };
    let mut answers = Answers {
        done: done.drain(..),
        serving: &serving,
    };
    let delivered = entered(&serving, || deliver_all(&mut answers, &mut finished));
    drop(answers);
    let served = Served {
        admitted: serving.admitted.get(),
        delivered,
    };
    cycle.borrow_mut().put_lists_back(done, finished);
    served
}
