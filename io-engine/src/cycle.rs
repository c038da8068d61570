//! One turn of the loop: push what waits, drive, and tell finished events from those to resume.

use std::any::Any;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

use io_engine_core::{
    AlignmentGate, Answered, Backend, Completion, IOCallback, IOEvent, Request, Wait, Waker,
};

use crate::stuck_io::StuckIo;
use crate::sync_failures::SyncFailures;

pub(crate) use serving::{Resubmitted, Served, serve};

mod serving;

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

/// Joins events into fewer requests before they are sent.
pub(crate) trait Joins<C: IOCallback>: Send {
    /// Takes `event`, and gives to `sends` what nothing can join any more. Says how many events came
    /// with it.
    fn offer(&mut self, event: IOEvent<C>, sends: &mut dyn Sends<C>) -> usize;

    /// Gives what is held back to `sends`.
    fn release(&mut self, sends: &mut dyn Sends<C>);

    /// How many events are held back.
    fn len(&self) -> usize;

    /// The most that can be.
    fn batch_max(&self) -> usize;
}

/// Sends what is joined, or is not.
#[allow(dead_code, reason = "called only where there is merging")]
pub(crate) trait Sends<C: IOCallback> {
    fn lone(&mut self, event: IOEvent<C>);

    fn run(&mut self, request: Request<C>);
}

impl<C: IOCallback> Sends<C> for VecDeque<Request<C>> {
    fn lone(&mut self, event: IOEvent<C>) {
        self.push_back(Request::from(event));
    }

    fn run(&mut self, request: Request<C>) {
        self.push_back(request);
    }
}

/// In a turn, after what waited had its chance: what finds no place now has to wait for the next.
impl<C: IOCallback, B: Backend<C>> Sends<C> for Cycle<C, B> {
    fn lone(&mut self, event: IOEvent<C>) {
        if !self.has_place() {
            return self.waiting.push_back(Request::from(event));
        }
        if let Err(event) = self.backend.push_unseen(event) {
            self.push(Request::from(event));
        }
    }

    fn run(&mut self, request: Request<C>) {
        if self.has_place() {
            self.push(request);
        } else {
            self.waiting.push_back(request);
        }
    }
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

    /// Takes `event` in, with or without room: from here on it is certain to be finished. Says how many
    /// events that are.
    ///
    /// Inlined down to the slot, and not looked at before it is there, so that it is copied once: see
    /// ARCHITECTURE.md.
    #[inline(always)]
    pub(crate) fn admit(&mut self, event: IOEvent<C>) -> usize {
        if self.joins.is_some() {
            self.offer(event)
        } else if self.has_place() {
            match self.backend.push_unseen(event) {
                Ok(()) => 1,
                Err(event) => self.admit_later(event),
            }
        } else {
            self.admit_later(event)
        }
    }

    #[inline(never)]
    fn admit_later(&mut self, event: IOEvent<C>) -> usize {
        let count = event.event_count();
        self.waiting.push_back(Request::from(event));
        count
    }

    #[inline(never)]
    fn offer(&mut self, event: IOEvent<C>) -> usize {
        match self.joins.take() {
            Some(mut joins) => {
                let count = joins.offer(event, self);
                self.joins = Some(joins);
                count
            }
            None => self.admit_later(event),
        }
    }

    /// Sends what waits and sleeps according to `wait`, until the first answer at the longest. What
    /// has been answered is to be [served](serve) or [settled](Self::settle_into) before the
    /// next turn.
    ///
    /// The first `Err` of a broken queue finishes every event inside; `Err` again and again means
    /// that events admitted meanwhile have been finished with an error.
    #[inline(always)]
    pub(crate) fn turn(&mut self, wait: Wait) -> io::Result<()> {
        if !self.again.is_empty() {
            self.waiting.extend(self.again.drain(..));
        }
        self.fill_backend();
        if let Some(mut joins) = self.joins.take() {
            joins.release(self);
            self.joins = Some(joins);
        }
        let at_once = !self.refused.is_empty();
        let wait = match &self.stuck_io {
            _ if at_once => Wait::Never,
            Some(stuck_io) => stuck_io.bounded(wait, self.backend.in_flight()),
            None => wait,
        };
        if !self.refused.is_empty() {
            self.done.append(&mut self.refused);
        }
        let driven = self.backend.drive_lazily(wait, &mut self.done);
        self.broken = driven.is_err() && self.backend.in_flight() == 0;
        if let Some(stuck_io) = &mut self.stuck_io {
            stuck_io.look(&self.backend);
        }
        driven
    }

    /// What is done is taken from the end from now on; gives out the list that is kept for its memory.
    fn begin_serving(&mut self) -> Vec<IOEvent<C>> {
        self.done.reverse();
        std::mem::take(&mut self.finished)
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
            joins.release(&mut self.waiting);
        }
        let waiting = self.waiting.drain(..).chain(self.again.drain(..));
        self.done.extend(waiting.map(Completion::given_up_unsent));
        self.done.iter().map(Completion::given_up_count).sum()
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
