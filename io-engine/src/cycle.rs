//! One turn of the loop: push what waits, drive, and tell finished events from those to resume.

use std::collections::VecDeque;
use std::io;

use io_engine_core::{
    AlignmentGate, Backend, Completion, Delivered, IOCallback, IOEvent, Request, Wait, Waker,
    deliver_all,
};

/// What to do with a transfer that ended before all bytes were moved and before the end of the
/// file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ShortTransfers {
    /// The engine asks for the rest until there is none: a callback sees all bytes, the end of the
    /// file, or an error.
    #[default]
    Resume,
    /// The callback gets the event as it is, with [`res`](IOEvent::res) as the bytes so far;
    /// handing it over again continues it.
    Report,
}

/// Joins events into fewer requests before they are sent.
pub(crate) trait Joins<C: IOCallback>: Send {
    /// Takes `event`, and adds to `requests` what nothing can join any more.
    fn offer(&mut self, event: IOEvent<C>, requests: &mut VecDeque<Request<C>>);

    /// Adds what is held back to `requests`.
    fn release(&mut self, requests: &mut VecDeque<Request<C>>);

    /// Whether nothing is held back.
    fn is_empty(&self) -> bool;
}

/// What a turn has brought. An event is at its end when this settles its completion.
pub(crate) struct Answered<'a, C: IOCallback> {
    done: &'a mut Vec<Completion<C>>,
    again: &'a mut Vec<Request<C>>,
    finished: &'a mut Vec<IOEvent<C>>,
    short_transfers: ShortTransfers,
}

impl<C: IOCallback> Answered<'_, C> {
    /// How many requests have been answered.
    pub(crate) fn len(&self) -> usize {
        self.done.len()
    }

    /// At least as many events as are at their end.
    pub(crate) fn event_count(&self) -> usize {
        self.done.iter().map(Completion::event_count).sum()
    }

    /// Appends the events that are at their end to `finished`.
    #[allow(dead_code, reason = "called only where there are workers")]
    pub(crate) fn settle_into(self, finished: &mut Vec<IOEvent<C>>) {
        for completion in self.done.drain(..) {
            settle(self.short_transfers, completion, finished, self.again);
        }
    }

    /// Calls the callbacks of the events that are at their end, each after `before_each`.
    pub(crate) fn deliver(self, before_each: impl FnMut()) -> Delivered {
        let (again, short_transfers) = (self.again, self.short_transfers);
        let settle = |completion, finished: &mut _| {
            settle(short_transfers, completion, finished, again);
        };
        deliver_all(self.done, self.finished, settle, before_each)
    }
}

fn settle<C: IOCallback>(
    short_transfers: ShortTransfers,
    completion: Completion<C>,
    finished: &mut Vec<IOEvent<C>>,
    again: &mut Vec<Request<C>>,
) {
    match short_transfers {
        ShortTransfers::Resume => completion.settle(finished, again),
        ShortTransfers::Report => completion.settle_reporting(finished, again),
    }
}

/// The loop without a source of events and without a way to deliver them: it is driven, and leaves
/// the finished events to whoever drives it.
pub(crate) struct Cycle<C: IOCallback, B: Backend<C>> {
    backend: B,
    short_transfers: ShortTransfers,
    gate: AlignmentGate,
    joins: Option<Box<dyn Joins<C>>>,
    /// Admitted, and not with the backend yet: new ones, and those to be asked for once more.
    waiting: VecDeque<Request<C>>,
    /// Refused by the gate; they are done with the next turn.
    refused: Vec<Completion<C>>,
    /// What the last turn has brought.
    done: Vec<Completion<C>>,
    /// To be asked for once more.
    again: Vec<Request<C>>,
    /// The events of a run while their callbacks are called; kept for its memory.
    finished: Vec<IOEvent<C>>,
    /// Whether the last drive found the queue broken: then it cannot be slept in either.
    broken: bool,
}

impl<C: IOCallback, B: Backend<C>> Cycle<C, B> {
    pub(crate) fn new(
        backend: B,
        short_transfers: ShortTransfers,
        joins: Option<Box<dyn Joins<C>>>,
    ) -> Self {
        let depth = backend.capacity();
        Self {
            backend,
            short_transfers,
            gate: AlignmentGate::default(),
            joins,
            waiting: VecDeque::with_capacity(depth),
            refused: Vec::with_capacity(depth),
            done: Vec::with_capacity(depth),
            again: Vec::with_capacity(depth),
            finished: Vec::new(),
            broken: false,
        }
    }

    pub(crate) fn depth(&self) -> usize {
        self.backend.capacity()
    }

    pub(crate) fn waker(&self) -> Waker {
        self.backend.waker()
    }

    /// Requests inside, with the kernel or on their way there.
    pub(crate) fn inside(&self) -> usize {
        // What is held back to be joined becomes one request.
        let held_back = usize::from(self.joins.as_ref().is_some_and(|joins| !joins.is_empty()));
        let here = self.waiting.len() + self.again.len() + self.refused.len() + self.done.len();
        self.backend.in_flight() + here + held_back
    }

    /// Whether another event would find a place in the backend right away.
    pub(crate) fn has_room(&self) -> bool {
        self.inside() < self.depth()
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Takes `event` in, with or without room: from here on it is certain to be finished.
    #[inline]
    pub(crate) fn admit(&mut self, event: IOEvent<C>) {
        if let Some(joins) = &mut self.joins {
            joins.offer(event, &mut self.waiting);
        } else if self.waiting.is_empty()
            && self.backend_has_room()
            && AlignmentGate::passes_unseen(&event)
        {
            let pushed = self.backend.push(Request::from(event));
            pushed.expect("there was room, and nobody else pushes");
        } else {
            self.waiting.push_back(Request::from(event));
        }
    }

    /// Sends what waits and sleeps according to `wait`. What has been answered is to be taken from
    /// [`answered`](Self::answered) before the next turn.
    ///
    /// The first `Err` of a broken queue finishes every event inside; `Err` again and again means
    /// that events admitted meanwhile have been finished with an error.
    pub(crate) fn turn(&mut self, wait: Wait) -> io::Result<()> {
        if !self.again.is_empty() {
            self.waiting.extend(self.again.drain(..));
        }
        if let Some(joins) = &mut self.joins {
            joins.release(&mut self.waiting);
        }
        self.fill_backend();
        let at_once = !self.refused.is_empty();
        let wait = if at_once { Wait::Never } else { wait };
        self.done.append(&mut self.refused);
        let driven = self.backend.drive(wait, &mut self.done);
        self.broken = driven.is_err() && self.backend.in_flight() == 0;
        driven
    }

    /// What the last turn has brought, to be settled.
    pub(crate) fn answered(&mut self) -> Answered<'_, C> {
        Answered {
            done: &mut self.done,
            again: &mut self.again,
            finished: &mut self.finished,
            short_transfers: self.short_transfers,
        }
    }

    /// Gives everything up; each request is answered with an error. `backend` says what to do with
    /// those that the backend has. A run may have to be given up twice: its events may be asked for
    /// once more one by one.
    pub(crate) fn abandon(&mut self, backend: impl FnOnce(&mut B, &mut Vec<Completion<C>>)) {
        backend(&mut self.backend, &mut self.done);
        self.done.append(&mut self.refused);
        if let Some(joins) = &mut self.joins {
            joins.release(&mut self.waiting);
        }
        let waiting = self.waiting.drain(..).chain(self.again.drain(..));
        self.done.extend(waiting.map(Completion::queue_closed));
    }

    fn fill_backend(&mut self) {
        while self.backend_has_room()
            && let Some(request) = self.waiting.pop_front()
        {
            self.push(request);
        }
    }

    fn backend_has_room(&self) -> bool {
        self.backend.in_flight() < self.backend.capacity()
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
