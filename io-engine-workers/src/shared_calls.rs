//! Blocking calls that take no longer than a copy, made by whoever asks for their answers, and by
//! helpers beside it.
use std::collections::VecDeque;
use std::fmt;

use io_engine_core::{Answered, Completion, IOCallback, IOEvent, InFlight, Request, Ticket};

use crate::job::{Answer, Job};
use crate::team::{BUNDLE_MAX, Bundle, Team};

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
    /// Not begun, and not with the helpers.
    own: VecDeque<Job>,
    /// What the helpers have done.
    answers: VecDeque<Answer>,
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
            answers: VecDeque::new(),
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
            self.share();
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
        let Answer { ticket, result } = self.next_of_all()?;
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
        self.own.push_back(Job::of(slots, ticket));
        // Helpers need not wait for the next `begin`.
        if self.policy.is_sharing {
            self.share();
        }
    }

    /// Gives helpers what they have hands for, several at a time.
    fn share(&mut self) {
        if self.team.is_none() {
            self.team = Team::start();
        }
        let Some(team) = &mut self.team else {
            return self.policy.give_up();
        };
        while self.own.len() > 1
            && let Some(mut bundle) = team.idle_bundle()
        {
            let count = (self.own.len() / SHARE).clamp(1, BUNDLE_MAX);
            bundle.jobs.extend(self.own.drain(..count));
            team.give(bundle);
        }
    }

    /// What helpers have done, else one of `own`, else what no helper has begun, else what one is doing.
    fn next_of_all(&mut self) -> Option<Answer> {
        if let Some(answer) = self.answers.pop_front() {
            return Some(answer);
        }
        if let Some(team) = &mut self.team {
            let bundle = match team.answered() {
                None if self.own.is_empty() && !team.is_idle() => {
                    team.not_begun().or_else(|| team.wait())
                }
                answered => answered,
            };
            if let Some(bundle) = bundle {
                self.take_in(bundle);
            }
        }
        let answer = self.answers.pop_front();
        answer.or_else(|| self.own.pop_front().map(Job::make))
    }

    fn take_in(&mut self, mut bundle: Bundle) {
        self.answers.extend(bundle.answers.drain(..));
        self.own.extend(bundle.jobs.drain(..));
        if let Some(team) = &mut self.team {
            team.take_back(bundle);
        }
    }
}

/// The part of what has not been begun that goes into a bundle: less than what is left for everyone else,
/// so that nobody waits long for the last of it.
const SHARE: usize = 4;

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
            .field("not_begun", &self.own.len())
            .finish_non_exhaustive()
    }
}
