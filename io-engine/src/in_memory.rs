//! Transfers of files in memory: blocking calls that take no longer than a copy.
//!
//! Few are carried out on the loop's thread, where handing them over would cost more than doing them.
//! Many are shared with helpers, one for each other processor: everyone takes the next one, the loop
//! a part of them each time that it is driven, so that it serves its callbacks in between.

use std::collections::VecDeque;
use std::io;
use std::thread::available_parallelism;

use io_engine_core::{
    Answered, Backend, Completion, IOCallback, IOEvent, InFlight, Request, Ticket, Wait, Waker,
};
use io_engine_workers::{BlockingBackend, BlockingSettings, carry_out};

pub(crate) struct InMemory<C: IOCallback> {
    /// Made for the first request: most engines never meet one.
    slots: Option<InFlight<C>>,
    /// Pushed, and not carried out yet.
    pushed: VecDeque<Ticket>,
    /// How many of them are carried out one by one, as their answers are asked for.
    due: usize,
    /// The event that was last called whole is in its slot here.
    is_whole: bool,
    helpers: Option<BlockingBackend<C>>,
    /// Whether starting them has been tried.
    asked_for_helpers: bool,
    depth: usize,
    waker: Waker,
}

/// So many are done sooner than a helper is awake.
const ALONE_MAX: usize = 16;

/// The share of what is left that the loop does before it serves its callbacks.
const SHARE: usize = 4;

impl<C: IOCallback> InMemory<C> {
    /// For `depth` requests; helpers ring `waker`. Costs nothing until there is such a request.
    pub(crate) fn new(depth: usize, waker: Waker) -> Self {
        Self {
            slots: None,
            pushed: VecDeque::new(),
            due: 0,
            is_whole: false,
            helpers: None,
            asked_for_helpers: false,
            depth,
            waker,
        }
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.slots.as_ref().map_or(0, InFlight::len) + self.with_helpers()
    }

    pub(crate) fn push(&mut self, request: Request<C>) {
        let inserted = self.slots().insert(request);
        let (ticket, _) = inserted.expect("there is a slot for as many as there can be");
        self.pushed.push_back(ticket);
    }

    #[inline]
    pub(crate) fn push_event(&mut self, event: IOEvent<C>) {
        let inserted = self.slots().insert_event(event);
        let (ticket, _) = inserted.expect("there is a slot for as many as there can be");
        self.pushed.push_back(ticket);
    }

    /// Begins to carry out what was pushed, each when its answer is asked for; says whether there is
    /// any. Not where helpers should have a part in it.
    pub(crate) fn begin(&mut self) -> bool {
        if self.with_helpers() > 0 || self.pushed.len() > ALONE_MAX {
            return false;
        }
        self.due = self.pushed.len();
        self.due > 0
    }

    #[inline]
    pub(crate) fn next_answer(&mut self) -> Option<Answered<C>> {
        self.due = self.due.checked_sub(1)?;
        let (slots, ticket) = (self.slots.as_mut()?, self.pushed.pop_front()?);
        let result = carry_out(slots.get_mut(ticket));
        let answered = slots.answer(ticket, result);
        self.is_whole = matches!(answered, Answered::Whole(_));
        Some(answered)
    }

    /// The event, if it is the one that was last called whole.
    #[inline]
    pub(crate) fn take_whole(&mut self, ticket: Ticket) -> Option<IOEvent<C>> {
        let is_here = std::mem::take(&mut self.is_whole);
        Some(self.slots.as_mut().filter(|_| is_here)?.take_whole(ticket))
    }

    fn slots(&mut self) -> &mut InFlight<C> {
        let depth = self.depth;
        self.slots
            .get_or_insert_with(|| InFlight::with_capacity(depth))
    }

    fn take_pushed(&mut self) -> Option<Request<C>> {
        let (slots, ticket) = (self.slots.as_mut()?, self.pushed.pop_front()?);
        Some(slots.remove(ticket))
    }

    /// Does a share of the work, at least `wanted` requests, and takes what helpers have finished.
    pub(crate) fn work(&mut self, wanted: usize, done: &mut Vec<Completion<C>>) -> io::Result<()> {
        let left = self.in_flight();
        if left == 0 {
            return Ok(());
        }
        self.due = 0;
        let shared = (self.with_helpers() > 0 || left > ALONE_MAX) && self.has_helpers();
        if !shared {
            while let Some(request) = self.take_pushed() {
                carry_out_into(request, done);
            }
            return Ok(());
        }
        while let Some(request) = self.take_pushed() {
            let pushed = self.helpers.as_mut().map(|helpers| helpers.push(request));
            pushed
                .expect("there are helpers")
                .expect("they have room for as many as there can be");
        }
        let Some(helpers) = &mut self.helpers else {
            return Ok(());
        };
        helpers.drive(Wait::Never, done)?;
        for _ in 0..wanted.max(left / SHARE) {
            match helpers.take_back() {
                Some(request) => carry_out_into(request, done),
                None => break,
            }
        }
        helpers.drive(Wait::Never, done)
    }

    /// Everything, as nobody will look again.
    pub(crate) fn finish(&mut self, done: &mut Vec<Completion<C>>) {
        while self.in_flight() > 0 && self.work(usize::MAX, done).is_ok() {
            if let Some(helpers) = &mut self.helpers
                && helpers.drive(Wait::For(1), done).is_err()
            {
                return;
            }
        }
    }

    /// Helpers need not ring: the loop looks by itself.
    pub(crate) fn stay_awake(&self) {
        if let Some(helpers) = &self.helpers {
            helpers.stay_awake();
        }
    }

    /// Helpers ring from now on. With `false` there is something to take already.
    pub(crate) fn may_sleep(&self) -> bool {
        match &self.helpers {
            Some(helpers) if helpers.in_flight() > 0 => helpers.may_sleep(),
            _ => true,
        }
    }

    fn with_helpers(&self) -> usize {
        self.helpers.as_ref().map_or(0, Backend::in_flight)
    }

    /// Starts them when they are needed for the first time, if there is a processor for them.
    fn has_helpers(&mut self) -> bool {
        if !std::mem::replace(&mut self.asked_for_helpers, true) {
            let others = available_parallelism().map_or(0, |all| all.get() - 1);
            if others > 0 {
                self.start_helpers(others);
            }
        }
        self.helpers.is_some()
    }

    fn start_helpers(&mut self, count: usize) {
        let settings = BlockingSettings::with_depth(self.depth).threads(count);
        match BlockingBackend::with_waker(settings, self.waker.clone()) {
            Ok(helpers) => {
                helpers.stay_awake();
                self.helpers = Some(helpers);
            }
            Err(error) => tracing::warn!(%error, "no helpers for files in memory"),
        }
    }
}

fn carry_out_into<C: IOCallback>(mut request: Request<C>, done: &mut Vec<Completion<C>>) {
    let result = carry_out(&mut request);
    done.push(Completion::from_kernel(request, result));
}
