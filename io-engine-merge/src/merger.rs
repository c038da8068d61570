//! Merging a batch of events, over all files and both directions.

use std::collections::TryReserveError;
use std::fmt;
use std::os::fd::RawFd;

use io_engine_core::{Full, IOCallback, IOEvent, Request, RunBuilder, RunPool, Scratch};

use crate::counters::MergeCounters;
use crate::fact::Fact;
use crate::file_facts::FileFacts;
use crate::limits::MergeLimits;
use crate::outgoing::{AsRequests, Outgoing};
use crate::plan::PlannedRequest;
use crate::planner::Planner;
use crate::unsent::end_unsent;

/// Collects a batch of events and gives it out as requests, fewer if there is something to join.
///
/// For the inside of a loop: offer what has been gathered, then release; it never waits and never
/// holds anything back beyond [`release`](Self::release). What is joined and in which order, the
/// [`Planner`] decides; the result is that of the events one by one, in the order of the offers.
///
/// It owns what it has been offered until it is released. Dropped with events inside, it ends each of
/// them with an error of kind `BrokenPipe` and calls its callback.
///
/// # What travels alone
/// Syncs, allocations and nops; carriers and transfers that are to be continued; what cannot work, as
/// a read into shared memory; what is above the byte limit. It is passed on as it was.
///
/// # Files
/// A file is a descriptor number: events for two descriptors of the same file are not kept in order.
/// Where the offset does not say where bytes go, as with `O_APPEND`, with a pipe or a terminal, let the
/// limits be [`FileFacts::NEVER_JOIN`].
///
/// # Cost and memory
/// No allocation once the largest batch and the longest runs have been seen. It keeps room for the
/// largest batch, some 270 bytes for each event, what the [`RunPool`] keeps, and the memory for holes
/// if [`gap_bytes_max`](MergeLimits::gap_bytes_max) is not 0. Where memory is not to be had, events
/// travel alone.
///
/// ```
/// use io_engine_core::{IOAction, IOEvent};
/// use io_engine_merge::{FileFacts, MergeLimits, Merger};
///
/// let write = |offset| IOEvent::<()>::new(3, vec![0; 4096].into(), IOAction::Write, offset);
/// let mut merger = Merger::new(MergeLimits::default(), 64);
/// for offset in [8192, 0, 1 << 20, 4096] {
///     merger.offer(write(offset)).expect("there is room for 64");
/// }
/// let mut requests = Vec::new();
/// merger.release(|_fd| FileFacts::UNKNOWN, |request| requests.push(request));
///
/// let sizes: Vec<u64> = requests.iter().map(|request| request.total_bytes()).collect();
/// assert_eq!(sizes, [3 * 4096, 4096]);
/// assert_eq!(merger.counters().bytes_copied, 0);
/// ```
pub struct Merger<C: IOCallback> {
    events: Vec<IOEvent<C>>,
    /// One for each event.
    facts: Vec<Fact>,
    batch_max: usize,
    /// How many events there is memory for.
    room: usize,
    planner: Planner,
    joiner: Joiner<C>,
}

/// Makes runs of events.
struct Joiner<C: IOCallback> {
    pool: RunPool<C>,
    scratch: Option<Scratch>,
    /// The events of a batch while runs are made of them; each is taken from where it is. Not where
    /// they are collected, because to look whether an event is there costs more than to move one
    /// once more, and most batches of random traffic have nothing to join.
    taken: Vec<Option<IOEvent<C>>>,
}

/// For how many events there is room at first.
const ROOM_MIN: usize = 32;

impl<C: IOCallback> Merger<C> {
    /// A merger for batches of at most `batch_max` events, at least 1. A number as `limits` is the
    /// most bytes of a request.
    ///
    /// It keeps the memory of as many runs as a batch can make, `batch_max / 2`.
    #[must_use]
    pub fn new(limits: impl Into<MergeLimits>, batch_max: usize) -> Self {
        Self::with_pool(limits, batch_max, RunPool::with_capacity(batch_max / 2))
    }

    /// As [`new`](Self::new), with the memory of runs from `pool`: as many as can be on their way at
    /// once should have room in it.
    #[must_use]
    pub fn with_pool(limits: impl Into<MergeLimits>, batch_max: usize, pool: RunPool<C>) -> Self {
        let limits = limits.into();
        // Without memory for holes there are none: the reads around them travel alone.
        let scratch = Scratch::new(limits.gap_bytes_max()).ok();
        let limits = match scratch {
            Some(_) => limits,
            None => limits.with_gap_bytes_max(0),
        };
        Self {
            events: Vec::new(),
            facts: Vec::new(),
            batch_max: batch_max.max(1),
            room: 0,
            planner: Planner::new(limits),
            joiner: Joiner {
                pool,
                scratch,
                taken: Vec::new(),
            },
        }
    }

    /// Takes `event` into the batch, and says how many events came with it: 1, unless it carries others.
    ///
    /// # Errors
    /// [`Full`] with the event, if the batch has as many as it may have or there is no memory for one
    /// more. Release the batch, then offer it again, or send it alone.
    #[inline]
    pub fn offer(&mut self, event: IOEvent<C>) -> Result<usize, Full<IOEvent<C>>> {
        if self.events.len() == self.room && !self.grow() {
            return Err(Full(event));
        }
        // Looked at where it is going: before, that would cost a copy of it.
        let place = self.events.len();
        self.events.push(event);
        let event = &self.events[place];
        self.facts.push(Fact::of(event));
        Ok(event.event_count())
    }

    /// Gives every event of the batch to `send`, alone or in a run, in the order in which the requests
    /// are to be pushed. `of_file` says what the device behind a descriptor takes; see
    /// [`Planner::plan`].
    ///
    /// # Panics
    /// If `of_file` or `send` does. When `of_file` does, the batch stays as it is; when `send` does,
    /// what was not sent is dropped, and its callbacks are not called.
    pub fn release(
        &mut self,
        of_file: impl FnMut(RawFd) -> FileFacts,
        send: impl FnMut(Request<C>),
    ) {
        self.release_to(of_file, &mut AsRequests(send));
    }

    /// As [`release`](Self::release), with events that travel alone as they are.
    ///
    /// # Panics
    /// As [`release`](Self::release).
    pub fn release_to(
        &mut self,
        mut of_file: impl FnMut(RawFd) -> FileFacts,
        outgoing: &mut impl Outgoing<C>,
    ) {
        let plan = self
            .planner
            .plan(&self.facts, |file| of_file(file.cast_signed()));
        self.facts.clear();
        if plan.joins_nothing() {
            return self.events.drain(..).for_each(|event| outgoing.lone(event));
        }
        // What a `send` that panicked has left there belongs to no batch.
        self.joiner.taken.clear();
        self.joiner.taken.extend(self.events.drain(..).map(Some));
        for request in plan.requests() {
            self.joiner.send(&request, outgoing);
        }
    }

    /// How many events are in the batch.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether the batch is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// What has been merged so far.
    #[must_use]
    pub fn counters(&self) -> MergeCounters {
        self.planner.counters()
    }

    /// Makes room for more events, and says whether there is any.
    #[cold]
    fn grow(&mut self) -> bool {
        let len = self.events.len();
        let room = (len * 2).max(ROOM_MIN).min(self.batch_max);
        if room == len
            || self.facts.try_reserve_exact(room - len).is_err()
            || self.events.try_reserve_exact(room - len).is_err()
            || self.joiner.reserve(room).is_err()
        {
            return false;
        }
        self.room = room;
        true
    }
}

impl<C: IOCallback> Joiner<C> {
    /// Makes room for the events of a batch.
    fn reserve(&mut self, events: usize) -> Result<(), TryReserveError> {
        self.taken.clear();
        self.taken.try_reserve_exact(events)
    }

    fn send(&mut self, request: &PlannedRequest<'_>, outgoing: &mut impl Outgoing<C>) {
        if !request.is_lone() {
            return self.join(request, outgoing);
        }
        let event = self.taken[request.first()].take();
        outgoing.lone(event.expect("each is in one request"));
    }

    /// Sends the members of `request` as one. A member that cannot be joined, because there is no
    /// memory for that, is sent alone: all of them may change places.
    fn join(&mut self, request: &PlannedRequest<'_>, outgoing: &mut impl Outgoing<C>) {
        let mut run = self.pool.take();
        for member in request.members() {
            let event = self.taken[member.event].take();
            let event = event.expect("each is in one request");
            let joined = match (&mut run, member.leader) {
                (Some(run), None) => self.append(run, event),
                (Some(run), Some(leader)) => run.push_sharing(event, leader),
                (None, _) => Err(event),
            };
            if let Err(event) = joined {
                outgoing.lone(event);
            }
        }
        if let Some(request) = run.and_then(RunBuilder::into_request) {
            outgoing.run(request);
        }
    }

    #[inline]
    fn append(&self, run: &mut RunBuilder<C>, event: IOEvent<C>) -> Result<(), IOEvent<C>> {
        match &self.scratch {
            Some(scratch) => run.push_over_hole(event, scratch),
            None => run.push(event),
        }
    }
}

impl<C: IOCallback> Drop for Merger<C> {
    fn drop(&mut self) {
        end_unsent(std::mem::take(&mut self.events));
    }
}

impl<C: IOCallback> fmt::Debug for Merger<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Merger")
            .field("len", &self.len())
            .field("planner", &self.planner)
            .finish_non_exhaustive()
    }
}
