//! Answers, one by one: each with its callback, and with what that hands over.

use std::cell::{Cell, RefCell};

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
struct Answers<'a, C: IOCallback, B: Backend<C>>(&'a Serving<'a, C, B>);

impl<C: IOCallback, B: Backend<C>> Serves<C> for Answers<'_, C, B> {
    #[inline]
    fn next_answer(&mut self) -> Option<Answered<C>> {
        let mut cycle = self.0.cycle.borrow_mut();
        match cycle.done.pop() {
            Some(completion) => Some(Answered::Other(completion)),
            None => cycle.backend.next_answer(),
        }
    }

    #[inline]
    fn take_callback(&mut self, ticket: Ticket) -> Option<C> {
        self.0.cycle.borrow_mut().backend.take_callback(ticket)
    }

    #[inline]
    fn take_whole(&mut self, ticket: Ticket) -> IOEvent<C> {
        self.0.cycle.borrow_mut().backend.take_whole(ticket)
    }

    fn settle(&mut self, completion: Completion<C>, finished: &mut Vec<IOEvent<C>>) {
        self.0.cycle.borrow_mut().settle(completion, finished);
    }

    #[inline]
    fn before_callback(&mut self) {
        self.0.scope.renew_right();
    }
}

/// Calls the callbacks of what the last turn of `cycle` has brought, inside `scope`. What they hand
/// over is admitted as `resubmitted` says.
pub(crate) fn serve<C: IOCallback, B: Backend<C>>(
    cycle: &RefCell<Cycle<C, B>>,
    scope: &LoopScope<C>,
    resubmitted: Resubmitted,
) -> Served {
    let mut finished = cycle.borrow_mut().begin_serving();
    let serving = Serving {
        cycle,
        scope,
        resubmitted,
        admitted: Cell::new(0),
    };
    let mut answers = Answers(&serving);
    let delivered = entered(&serving, || deliver_all(&mut answers, &mut finished));
    let served = Served {
        admitted: serving.admitted.get(),
        delivered,
    };
    cycle.borrow_mut().finished = finished;
    served
}
