//! One turn of the loop: push what waits, drive, and tell finished events from those to resume.

use std::collections::VecDeque;
use std::io;

use io_engine_core::{
    AlignmentGate, Backend, Completion, IOCallback, IOEvent, Request, Wait, Waker,
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
    /// Kept between turns for their memory.
    done: Vec<Completion<C>>,
    again: Vec<Request<C>>,
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
        self.backend.in_flight() + self.waiting.len() + self.refused.len() + held_back
    }

    /// Whether another event would find a place in the backend right away.
    pub(crate) fn has_room(&self) -> bool {
        self.inside() < self.depth()
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken
    }

    /// Takes `event` in, with or without room: from here on it is certain to be finished.
    pub(crate) fn admit(&mut self, event: IOEvent<C>) {
        match &mut self.joins {
            None => self.waiting.push_back(Request::from(event)),
            Some(joins) => joins.offer(event, &mut self.waiting),
        }
    }

    /// Sends what waits, sleeps according to `wait`, and appends the events that are at their end
    /// to `finished`.
    ///
    /// The first `Err` of a broken queue finishes every event inside; `Err` again and again means
    /// that events admitted meanwhile have been finished with an error.
    pub(crate) fn turn(&mut self, wait: Wait, finished: &mut Vec<IOEvent<C>>) -> io::Result<()> {
        if let Some(joins) = &mut self.joins {
            joins.release(&mut self.waiting);
        }
        self.fill_backend();
        let at_once = !self.refused.is_empty();
        let wait = if at_once { Wait::Never } else { wait };
        self.done.append(&mut self.refused);
        let driven = self.backend.drive(wait, &mut self.done);
        for completion in self.done.drain(..) {
            match self.short_transfers {
                ShortTransfers::Resume => completion.settle(finished, &mut self.again),
                ShortTransfers::Report => completion.settle_reporting(finished, &mut self.again),
            }
        }
        self.waiting.extend(self.again.drain(..));
        self.broken = driven.is_err() && self.backend.in_flight() == 0;
        driven
    }

    /// Gives everything up; each event ends with an error. `backend` says what to do with those that
    /// the backend has.
    pub(crate) fn abandon(
        &mut self,
        backend: impl FnOnce(&mut B, &mut Vec<Completion<C>>),
        finished: &mut Vec<IOEvent<C>>,
    ) {
        backend(&mut self.backend, &mut self.refused);
        if let Some(joins) = &mut self.joins {
            joins.release(&mut self.waiting);
        }
        for request in self.waiting.drain(..) {
            Completion::queue_closed(request).report(finished);
        }
        for completion in self.refused.drain(..) {
            completion.report(finished);
        }
    }

    fn fill_backend(&mut self) {
        while self.backend.in_flight() < self.backend.capacity() {
            let Some(mut request) = self.waiting.pop_front() else {
                return;
            };
            if let Err(misaligned) = self.gate.check(&mut request) {
                // The backend asks every request whether it can work; this one does not get there.
                let invalid = request.check().err().unwrap_or(misaligned);
                self.refused.push(Completion::invalid(request, invalid));
                continue;
            }
            let pushed = self.backend.push(request);
            pushed.expect("there was room, and nobody else pushes");
        }
    }
}
