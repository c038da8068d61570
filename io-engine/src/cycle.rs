//! One turn of the loop: push what waits, drive, and tell finished events from those to resume.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::vec::Drain;

use io_engine_core::{
    AlignmentGate, Answered, Backend, Completion, Delivered, IOCallback, IOEvent, Request, Serves,
    Ticket, Wait, Waker, deliver_all,
};

use crate::callback_scope::{Accepts, LoopScope, entered};
use crate::doorbell::Doorbell;
use crate::stuck_io::StuckIo;
use crate::submit_error::SubmitError;
use crate::sync_failures::SyncFailures;

/// What to do with a transfer that ended before all bytes were moved and before the end of the
/// file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShortTransfers {
    /// The engine asks for the rest until there is none: a callback sees all bytes, the end of the
    /// file, or an error.
    #[default]
    Resume,
    /// The callback gets the event as it is, with [`res`](IOEvent::res) as the bytes so far;
    /// handing it over again continues it. A write that moves no byte is an error, of kind `WriteZero`.
    Report,
}

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
    /// Requests that were answered.
    pub(crate) answered: usize,
    /// Events that callbacks have handed over and that were admitted.
    pub(crate) admitted: usize,
    pub(crate) delivered: Delivered,
}

/// A cycle while its callbacks are called: they reach it too.
struct Serving<'a, C: IOCallback, B: Backend<C>> {
    cycle: &'a RefCell<Cycle<C, B>>,
    scope: &'a LoopScope<C>,
    resubmitted: Resubmitted,
    answered: Cell<usize>,
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
            self.admitted.set(self.admitted.get() + event.event_count());
            cycle.admit(event);
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
        let answered = match self.done.next() {
            Some(completion) => Answered::Other(completion),
            None => self.serving.cycle.borrow_mut().backend.next_answer()?,
        };
        self.serving.answered.set(self.serving.answered.get() + 1);
        Some(answered)
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
        answered: Cell::new(0),
        admitted: Cell::new(0),
    };
    let mut answers = Answers {
        done: done.drain(..),
        serving: &serving,
    };
    let delivered = entered(&serving, || deliver_all(&mut answers, &mut finished));
    drop(answers);
    let served = Served {
        answered: serving.answered.get(),
        admitted: serving.admitted.get(),
        delivered,
    };
    cycle.borrow_mut().put_lists_back(done, finished);
    served
}

/// Joins events into fewer requests before they are sent.
pub(crate) trait Joins<C: IOCallback>: Send {
    /// Takes `event`, and gives to `send` what nothing can join any more.
    fn offer(&mut self, event: IOEvent<C>, send: &mut dyn FnMut(Request<C>));

    /// Gives what is held back to `send`.
    fn release(&mut self, send: &mut dyn FnMut(Request<C>));

    /// How many events are held back.
    fn len(&self) -> usize;

    /// The most that can be.
    fn batch_max(&self) -> usize;
}

/// What joins, and what it shows to the outside, whose type is known where it was made.
pub(crate) struct Joined<C: IOCallback> {
    pub(crate) joins: Box<dyn Joins<C>>,
    pub(crate) counters: Arc<dyn Any + Send + Sync>,
}

/// The loop without a source of events and without a way to deliver them: it is driven, and leaves
/// the finished events to whoever drives it.
pub(crate) struct Cycle<C: IOCallback, B: Backend<C>> {
    backend: B,
    short_transfers: ShortTransfers,
    gate: AlignmentGate,
    sync_failures: SyncFailures,
    joins: Option<Box<dyn Joins<C>>>,
    stuck_io: Option<StuckIo>,
    /// Admitted, and not with the backend yet: new ones, and those to be asked for once more.
    waiting: VecDeque<Request<C>>,
    /// Refused by the gate; they are done with the next turn.
    refused: Vec<Completion<C>>,
    /// What the last turn has brought, unless the backend has kept it for now.
    done: Vec<Completion<C>>,
    /// To be asked for once more.
    again: Vec<Request<C>>,
    /// The events of a run while their callbacks are called; kept for its memory.
    finished: Vec<IOEvent<C>>,
    /// Whether the last drive found the queue broken: then it cannot be slept in either.
    broken: bool,
    /// What comes now waits to be given up as well.
    has_given_up: bool,
}

impl<C: IOCallback, B: Backend<C>> Cycle<C, B> {
    pub(crate) fn new(
        backend: B,
        short_transfers: ShortTransfers,
        joins: Option<Box<dyn Joins<C>>>,
        stuck_io: Option<StuckIo>,
    ) -> Self {
        let depth = backend.capacity();
        Self {
            backend,
            short_transfers,
            gate: AlignmentGate::default(),
            sync_failures: SyncFailures::default(),
            joins,
            stuck_io,
            waiting: VecDeque::with_capacity(depth),
            refused: Vec::with_capacity(depth),
            done: Vec::with_capacity(depth),
            again: Vec::with_capacity(depth),
            finished: Vec::new(),
            broken: false,
            has_given_up: false,
        }
    }

    pub(crate) fn depth(&self) -> usize {
        self.backend.capacity()
    }

    pub(crate) fn waker(&self) -> Waker {
        self.backend.waker()
    }

    pub(crate) fn sync_failures(&self) -> SyncFailures {
        self.sync_failures.clone()
    }

    /// Requests inside, with the kernel or on their way there.
    pub(crate) fn inside(&self) -> usize {
        // What is held back becomes one request at the least.
        self.requests() + self.joins.as_ref().map_or(0, |joins| joins.len().min(1))
    }

    fn requests(&self) -> usize {
        let here = self.waiting.len() + self.again.len() + self.refused.len() + self.done.len();
        self.backend.in_flight() + here
    }

    /// How many events can be joined at once; `None` where none are.
    pub(crate) fn batch_max(&self) -> Option<usize> {
        self.joins.as_ref().map(|joins| joins.batch_max())
    }

    /// Whether another event would find a place in the backend right away. The events that are held
    /// back share one place: each of them may be joined with the next.
    pub(crate) fn has_room(&self) -> bool {
        self.requests() < self.depth()
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Takes `event` in, with or without room: from here on it is certain to be finished.
    ///
    /// Inlined down to the slot, so that it is copied once: see ARCHITECTURE.md.
    #[inline(always)]
    pub(crate) fn admit(&mut self, event: IOEvent<C>) {
        if self.joins.is_some() {
            self.with_joins(|joins, send| joins.offer(event, send));
        } else if self.has_place() && AlignmentGate::passes_unseen(&event) {
            let pushed = self.backend.push_event(event);
            pushed.expect("there was room, and nobody else pushes");
        } else {
            self.waiting.push_back(Request::from(event));
        }
    }

    /// Sends what waits and sleeps according to `wait`, until the first answer at the longest. What
    /// has been answered is to be [served](serve) or [settled](Self::settle_into) before the
    /// next turn.
    ///
    /// The first `Err` of a broken queue finishes every event inside; `Err` again and again means
    /// that events admitted meanwhile have been finished with an error.
    pub(crate) fn turn(&mut self, wait: Wait) -> io::Result<()> {
        if !self.again.is_empty() {
            self.waiting.extend(self.again.drain(..));
        }
        self.fill_backend();
        self.with_joins(|joins, send| joins.release(send));
        let at_once = !self.refused.is_empty();
        let wait = match &self.stuck_io {
            _ if at_once => Wait::Never,
            Some(stuck_io) => stuck_io.bounded(wait, self.backend.in_flight()),
            None => wait,
        };
        self.done.append(&mut self.refused);
        let driven = self.backend.drive_lazily(wait, &mut self.done);
        self.broken = driven.is_err() && self.backend.in_flight() == 0;
        if let Some(stuck_io) = &mut self.stuck_io {
            stuck_io.look(&self.backend);
        }
        driven
    }

    /// The lists that serving works on; they are kept for their memory.
    fn take_lists(&mut self) -> (Vec<Completion<C>>, Vec<IOEvent<C>>) {
        let done = std::mem::take(&mut self.done);
        (done, std::mem::take(&mut self.finished))
    }

    fn put_lists_back(&mut self, done: Vec<Completion<C>>, finished: Vec<IOEvent<C>>) {
        self.done = done;
        self.finished = finished;
    }

    /// Appends the events that the last turn has brought to their end to `finished`; says how many
    /// requests were answered.
    #[allow(dead_code, reason = "called only where there are workers")]
    pub(crate) fn settle_into(&mut self, finished: &mut Vec<IOEvent<C>>) -> usize {
        let mut done = std::mem::take(&mut self.done);
        let mut answered = done.len();
        for completion in done.drain(..) {
            self.settle(completion, finished);
        }
        self.done = done;
        while let Some(answer) = self.backend.next_answer() {
            answered += 1;
            match answer {
                Answered::Whole(ticket) => finished.push(self.backend.take_whole(ticket)),
                Answered::Other(completion) => self.settle(completion, finished),
            }
        }
        answered
    }

    fn settle(&mut self, completion: Completion<C>, finished: &mut Vec<IOEvent<C>>) {
        let completion = self.sync_failures.pass(completion);
        match self.short_transfers {
            ShortTransfers::Resume => completion.settle(finished, &mut self.again),
            ShortTransfers::Report => completion.settle_reporting(finished, &mut self.again),
        }
    }

    /// Gives everything up, each request with an error, and says how many events were not answered yet.
    /// There is no [turn](Self::turn) after it; what still comes is given up by the next call.
    pub(crate) fn abandon(&mut self) -> usize {
        self.broken = true;
        self.has_given_up = true;
        self.backend.abandon(&mut self.done);
        self.done.append(&mut self.refused);
        if let Some(joins) = &mut self.joins {
            joins.release(&mut |request| self.waiting.push_back(request));
        }
        let waiting = self.waiting.drain(..).chain(self.again.drain(..));
        self.done.extend(waiting.map(Completion::given_up_unsent));
        self.done.iter().map(Completion::given_up_count).sum()
    }

    /// What is sent goes to the backend right away where it can.
    fn with_joins(&mut self, act: impl FnOnce(&mut dyn Joins<C>, &mut dyn FnMut(Request<C>))) {
        let Some(mut joins) = self.joins.take() else {
            return;
        };
        act(&mut *joins, &mut |request| {
            if self.has_place() {
                self.push(request);
            } else {
                self.waiting.push_back(request);
            }
        });
        self.joins = Some(joins);
    }

    fn fill_backend(&mut self) {
        while self.backend_has_room()
            && let Some(request) = self.waiting.pop_front()
        {
            self.push(request);
        }
    }

    /// Whether an event would go straight to the backend.
    #[inline]
    fn has_place(&self) -> bool {
        self.waiting.is_empty() && self.backend_has_room()
    }

    #[inline]
    fn backend_has_room(&self) -> bool {
        self.backend.in_flight() < self.backend.capacity() && !self.has_given_up
    }

    #[inline]
    fn push(&mut self, mut request: Request<C>) {
        if let Err(misaligned) = self.gate.check(&mut request) {
            // The backend asks every request whether it can work; this one does not get there.
            let invalid = request.check().err().unwrap_or(misaligned);
            self.refused.push(Completion::invalid(request, invalid));
            return;
        }
        let pushed = self.backend.push(request);
        pushed.expect("there was room, and nobody else pushes");
    }
}
