//! Blocking calls that take no longer than a copy, made by whoever asks for their answers, and by
//! helpers beside it.
use std::collections::VecDeque;
use std::fmt;
use std::num::NonZero;
use std::thread::{self, JoinHandle, available_parallelism};

use crossbeam_channel::{Receiver, Sender, bounded};
use io_engine_core::{
    Answered, Completion, IOCallback, IOEvent, InFlight, Request, Ticket,
    block_signals_in_this_thread,
};

use crate::job::{Answer, Job};
use crate::shield::shielded;

/// Requests that are carried out by blocking calls which wait for no device: those to files in memory.
///
/// One that is alone is carried out when its answer is asked for, by the thread that asks: to hand it
/// over would cost more than to do it. Where there are several again and again, helpers are started, one
/// for each other processor, and everyone takes the next one. What they are told is a few words: the
/// requests stay in their slots.
///
/// # Dropping
/// Waits for the calls that helpers are making. Requests that nobody has begun are not carried out, and
/// are dropped without their callbacks.
///
/// ```
/// use io_engine_core::{Answered, IOAction, IOEvent};
/// use io_engine_workers::SharedCalls;
///
/// let file = std::sync::Arc::new(std::fs::File::open("Cargo.toml")?);
/// let mut calls = SharedCalls::<()>::with_capacity(8);
/// calls.push_event(IOEvent::new(file, vec![0; 9].into(), IOAction::Read, 0));
/// assert!(calls.begin());
/// let Some(Answered::Whole(ticket)) = calls.next_answer() else {
///     panic!("nine bytes are there");
/// };
/// let event = calls.take_whole(ticket);
/// assert_eq!(&*event.get_read_result()?, b"[package]");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct SharedCalls<C: IOCallback> {
    /// Above the slots, so that no helper is left when those are dropped.
    team: Option<Team>,
    /// Made for the first request: most engines never meet one.
    slots: Option<InFlight<C>>,
    capacity: usize,
    /// Not begun, and not for helpers.
    own: VecDeque<Job>,
    /// Not answered, and for whoever is first.
    shared: usize,
    /// How many answers [`begin`](Self::begin) has promised.
    due: usize,
    policy: Policy,
}

impl<C: IOCallback> SharedCalls<C> {
    /// For at most `capacity` requests at once. Allocates nothing and starts no thread until there are
    /// some.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            team: None,
            slots: None,
            capacity,
            own: VecDeque::new(),
            shared: 0,
            due: 0,
            policy: Policy::default(),
        }
    }

    /// How many requests it owns.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.slots.as_ref().map_or(0, InFlight::len)
    }

    /// Takes `request`, which must need the kernel ([`Request::needs_kernel`]).
    ///
    /// # Panics
    /// If it owns as many as it may, and as [`Request::operation`] for one that cannot work.
    pub fn push(&mut self, request: Request<C>) {
        let inserted = self.slots().insert(request);
        let (ticket, _) = inserted.expect("there is a slot for as many as there can be");
        self.has_taken(ticket);
    }

    /// As [`push`](Self::push) of a request for `event`, which is moved once, to its slot.
    ///
    /// # Panics
    /// As [`push`](Self::push).
    #[inline]
    pub fn push_event(&mut self, event: IOEvent<C>) {
        let inserted = self.slots().insert_event(event);
        let (ticket, _) = inserted.expect("there is a slot for as many as there can be");
        self.has_taken(ticket);
    }

    /// Promises an answer to everything that is inside now; says whether there is anything.
    pub fn begin(&mut self) -> bool {
        self.due = self.in_flight();
        if self.policy.shares(self.due) {
            self.share_all();
        }
        self.due > 0
    }

    /// The next answer that [`begin`](Self::begin) has promised: what a helper has done, else what this
    /// thread does now, else what it waits for a helper to do.
    #[inline]
    pub fn next_answer(&mut self) -> Option<Answered<C>> {
        if let Some(untaken) = self.slots.as_mut()?.untaken() {
            return Some(Answered::Other(untaken));
        }
        self.due = self.due.checked_sub(1)?;
        let Answer { ticket, result } = match self.own.pop_front() {
            Some(job) if self.shared == 0 => job.make(),
            Some(job) => {
                self.own.push_front(job);
                self.next_of_all()?
            }
            None => self.next_of_all()?,
        };
        self.slots.as_mut()?.answer(ticket, result)
    }

    /// Whether it is the ticket of the event that [`next_answer`](Self::next_answer) has just called
    /// whole, and that has not been taken.
    #[inline]
    #[must_use]
    pub fn is_whole(&self, ticket: Ticket) -> bool {
        let slots = self.slots.as_ref();
        slots.is_some_and(|slots| slots.is_whole(ticket))
    }

    /// Takes the callback of the event that [`next_answer`](Self::next_answer) has just called whole, which
    /// is to be taken next.
    ///
    /// # Panics
    /// As [`take_whole`](Self::take_whole).
    #[inline]
    pub fn take_callback(&mut self, ticket: Ticket) -> Option<C> {
        self.slots().take_callback(ticket)
    }

    /// Takes the event that [`next_answer`](Self::next_answer) has just called whole.
    ///
    /// # Panics
    /// If the ticket is that of any other, on which a helper may be at work: see
    /// [`is_whole`](Self::is_whole).
    #[inline]
    pub fn take_whole(&mut self, ticket: Ticket) -> IOEvent<C> {
        self.slots().take_whole(ticket)
    }

    /// Carries out everything, and appends it to `done`.
    pub fn finish(&mut self, done: &mut Vec<Completion<C>>) {
        if self.in_flight() == 0 {
            return;
        }
        done.extend(self.slots.as_mut().and_then(InFlight::untaken));
        self.begin();
        while self.due > 0
            && let Some(Answer { ticket, result }) = self.next_of_all()
            && let Some(slots) = &mut self.slots
        {
            self.due -= 1;
            slots.complete(ticket, result, done);
        }
    }

    fn slots(&mut self) -> &mut InFlight<C> {
        let capacity = self.capacity;
        self.slots
            .get_or_insert_with(|| InFlight::with_capacity(capacity))
    }

    #[inline]
    fn has_taken(&mut self, ticket: Ticket) {
        let Some(slots) = &mut self.slots else {
            return;
        };
        let job = Job::of(slots, ticket);
        match &self.team {
            // Helpers need not wait for the next `begin`.
            Some(team) if self.policy.is_sharing => {
                team.give(job);
                self.shared += 1;
            }
            Some(_) | None => self.own.push_back(job),
        }
    }

    fn share_all(&mut self) {
        if self.team.is_none() {
            match Team::of(self.capacity) {
                Some(team) => self.team = Some(team),
                None => return self.policy.give_up(),
            }
        }
        if let Some(team) = &self.team {
            self.shared += self.own.len();
            self.own.drain(..).for_each(|job| team.give(job));
        }
    }

    /// One of `own` or of those that are shared.
    fn next_of_all(&mut self) -> Option<Answer> {
        if let Some(team) = self.team.as_ref().filter(|_| self.shared > 0)
            && let Some(answer) = team.next_answer(self.own.is_empty())
        {
            self.shared -= 1;
            return Some(answer);
        }
        self.own.pop_front().map(Job::make)
    }
}

/// The helpers, and the queues between them and the owner. Both hold as many as there can be, so nobody
/// waits to put something in.
struct Team {
    /// `None` only while it is dropped: then helpers see that nothing will come.
    give: Option<Sender<Job>>,
    given: Receiver<Job>,
    answers: Receiver<Answer>,
    helpers: Vec<JoinHandle<()>>,
}

impl Team {
    /// One helper for each processor but the owner's; `None` if there is none for a helper, or no
    /// thread to be had.
    fn of(capacity: usize) -> Option<Self> {
        let count = available_parallelism().map_or(0, |all: NonZero<usize>| all.get() - 1);
        let (give, given) = bounded(capacity);
        let (answer, answers) = bounded(capacity);
        let mut team = Self {
            give: Some(give),
            given,
            answers,
            helpers: Vec::with_capacity(count),
        };
        for number in 0..count {
            let (given, answer) = (team.given.clone(), answer.clone());
            let name = format!("io-help-{number}");
            let spawned = thread::Builder::new().name(name).spawn(move || {
                block_signals_in_this_thread();
                while let Ok(job) = given.recv() {
                    let failed = job.answered(-i64::from(libc::EIO));
                    // The call cannot panic. If it did, the request would still be answered.
                    let made = shielded("a blocking call", || job.make());
                    // There is a place for each, and the owner leaves after the helpers.
                    let _ = answer.send(made.unwrap_or(failed));
                }
            });
            match spawned {
                Ok(helper) => team.helpers.push(helper),
                Err(error) => tracing::warn!(%error, "fewer helpers for files in memory"),
            }
        }
        (!team.helpers.is_empty()).then_some(team)
    }

    fn give(&self, job: Job) {
        let sent = self.give.as_ref().map(|give| give.try_send(job));
        sent.expect("only drop takes it")
            .expect("there is a place for each, and this end receives too");
    }

    /// What a helper has done, or what nobody has begun. With neither, and if it is `worth_waiting`,
    /// what a helper is doing; at least one must be shared.
    fn next_answer(&self, worth_waiting: bool) -> Option<Answer> {
        if let Ok(answer) = self.answers.try_recv() {
            return Some(answer);
        }
        if let Ok(job) = self.given.try_recv() {
            return Some(job.make());
        }
        // It spins for a moment before it sleeps, and a call is no longer than that.
        worth_waiting.then(|| self.answers.recv().ok()).flatten()
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        // What nobody has begun is not carried out any more.
        while self.given.try_recv().is_ok() {}
        self.give = None;
        for helper in self.helpers.drain(..) {
            // A helper does not panic: the call it makes is shielded.
            let _ = helper.join();
        }
    }
}

/// When to share: where there are several, time after time. To wake a helper costs more than a call.
#[derive(Debug, Default)]
struct Policy {
    is_sharing: bool,
    /// How often in a row there were several; below 0 where there are no helpers to be had.
    streak: i32,
}

/// With fewer, everyone else would only watch.
const SHARED_MIN: usize = 2;
const STREAK: i32 = 16;

impl Policy {
    fn shares(&mut self, in_flight: usize) -> bool {
        if self.streak >= 0 {
            self.streak = match in_flight >= SHARED_MIN {
                true => (self.streak + 1).min(STREAK),
                false => 0,
            };
            self.is_sharing = self.streak == STREAK;
        }
        self.is_sharing
    }

    fn give_up(&mut self) {
        *self = Self {
            is_sharing: false,
            streak: i32::MIN,
        };
    }
}

impl<C: IOCallback> fmt::Debug for SharedCalls<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedCalls")
            .field("in_flight", &self.in_flight())
            .field("shared", &self.shared)
            .finish_non_exhaustive()
    }
}
