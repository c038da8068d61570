//! A context's way towards the workers: a bounded queue without a lock per event.

use std::fmt;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, TrySendError};
use io_engine_core::{IOCallback, IOEvent, deliver};

use crate::announcement::Announcement;
use crate::idle_latch::IdleLatch;
use crate::pool::IOWorkers;
use crate::seats::Seats;
use crate::shield::shielded;
use crate::this_thread::{self, Identity};
use crate::worker::{LaneRun, PanicCount, Turn};

/// Wraps a batch of callbacks on a worker: called with the batch, which it must run once.
pub type AroundBatch = Arc<dyn Fn(&mut dyn FnMut()) + Send + Sync>;

/// Called by a worker when a [stalled](Lane::announce_stalled) lane has room again.
pub type OnRoom = Box<dyn Fn() + Send + Sync>;

/// What the workers call besides the callbacks. None of it may block.
///
/// A panic in a hook is caught and logged.
#[derive(Default)]
pub struct LaneHooks {
    /// Rings the loop that found the lane full.
    pub on_room: Option<OnRoom>,
    /// Runs around each batch of callbacks, on the thread that calls them: the place to set and
    /// reset a thread-local. It may be nested, where a callback waits for another lane. Callbacks
    /// do not unwind into it. If it does not run the batch, the worker does.
    pub around: Option<AroundBatch>,
    /// Called before each callback, on the thread that calls it, inside the hook around its batch.
    pub before_each: Option<BeforeEach>,
}

/// Called before each callback.
pub type BeforeEach = Box<dyn Fn() + Send + Sync>;

impl fmt::Debug for LaneHooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LaneHooks")
            .field("on_room", &self.on_room.is_some())
            .field("around", &self.around.is_some())
            .field("before_each", &self.before_each.is_some())
            .finish()
    }
}

/// What one context uses to hand finished events to an [`IOWorkers`] pool.
///
/// A bounded queue, allocated once. Delivering takes no lock while as many workers as the pool has
/// are busy with this lane, and one lock per batch otherwise. An event is delivered exactly once:
/// what is inside when the lane and the pool are dropped is called all the same.
///
/// Clones are the same lane. [Room](Self::room) is certain only to whoever alone delivers.
pub struct Lane<C: IOCallback> {
    core: Arc<Core<C>>,
    pool: IOWorkers,
}

/// What the workers have of a lane. It holds no handle of the pool: the workers would then keep
/// themselves alive.
struct Core<C: IOCallback> {
    tx: Sender<IOEvent<C>>,
    rx: Receiver<IOEvent<C>>,
    capacity: usize,
    seats: Seats,
    stall: Announcement,
    latch: IdleLatch,
    hooks: LaneHooks,
}

/// So many events a worker takes before it looks after the other lanes: often enough for them, and
/// seldom enough for the lock not to matter.
const BATCH_EVENTS_MAX: usize = 64;

impl<C: IOCallback> Lane<C> {
    pub(crate) fn new(pool: IOWorkers, capacity: usize, hooks: LaneHooks) -> Self {
        let capacity = capacity.max(1);
        let (tx, rx) = crossbeam_channel::bounded(capacity);
        let core = Core {
            tx,
            rx,
            capacity,
            seats: Seats::new(pool.thread_count()),
            stall: Announcement::new(),
            latch: IdleLatch::new(),
            hooks,
        };
        Self {
            core: Arc::new(core),
            pool,
        }
    }

    /// How many events it can hold.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.core.capacity
    }

    /// How many more events fit now. Behind the back of whoever delivers it only grows.
    #[must_use]
    pub fn room(&self) -> usize {
        self.core.room()
    }

    /// Moves `events` into the lane, in order, and wakes workers for them. Never blocks.
    ///
    /// What does not fit stays in `events`, which happens only to those who did not look at
    /// [`room`](Self::room). In a pool without threads the callbacks have been called on return.
    pub fn deliver(&self, events: &mut Vec<IOEvent<C>>) {
        let fitting = self.room().min(events.len());
        if fitting == 0 {
            return;
        }
        self.core.latch.add(fitting);
        let mut refused = Vec::new();
        for event in events.drain(..fitting) {
            if let Err(TrySendError::Full(event) | TrySendError::Disconnected(event)) =
                self.core.tx.try_send(event)
            {
                refused.push(event);
            }
        }
        let delivered = fitting - refused.len();
        if !refused.is_empty() {
            self.core.latch.subtract(refused.len());
            events.splice(0..0, refused);
        }
        self.schedule(delivered);
    }

    fn schedule(&self, delivered: usize) {
        let seats = self.core.seats.claim(delivered);
        if seats > 0 {
            let lane: Arc<dyn LaneRun> = Arc::clone(&self.core) as _;
            let entries = std::iter::repeat_n(lane, seats);
            self.pool.shared().lanes.push_all(entries);
        }
        // A worker that waits for this lane in a callback helps with it.
        self.core.latch.nudge();
        if self.pool.thread_count() == 0 && !this_thread::is_running(self.core.identity()) {
            self.core.run_all(&self.pool.shared().panics);
        }
    }

    /// Says that the loop has more events than fit and will sleep. Returns the room that there is
    /// after all: only with 0 may it sleep, and then [`LaneHooks::on_room`] is called once, when a
    /// quarter of the lane is free, so that what follows comes in batches.
    #[must_use = "only with 0 will the hook be called"]
    pub fn announce_stalled(&self) -> usize {
        let wanted = self.capacity().div_ceil(4);
        // A single free place is reason enough not to sleep; it is not reason enough to be woken.
        let sleeps = self.core.stall.announce(wanted, || self.room());
        match self.room() {
            0 if sleeps => 0,
            room => {
                self.core.stall.withdraw();
                room.max(1)
            }
        }
    }

    /// How many events were delivered whose callback has not returned.
    #[must_use]
    pub fn outstanding(&self) -> usize {
        self.core.latch.outstanding()
    }

    /// Waits until every callback has returned.
    ///
    /// Called in a callback of this very lane it returns at once: that callback cannot wait for
    /// itself. Called in a callback of another lane of the same pool, its worker calls the
    /// callbacks that it waits for.
    pub fn wait_idle(&self) {
        if this_thread::is_running(self.core.identity()) {
            return;
        }
        let shared = self.pool.shared();
        if !this_thread::belongs_to(shared.identity()) {
            return self.core.latch.wait(|| false);
        }
        while self.outstanding() > 0 {
            self.core.run_all(&shared.panics);
            self.core.latch.wait(|| !self.core.rx.is_empty());
        }
    }
}

impl<C: IOCallback> Core<C> {
    fn identity(&self) -> Identity {
        Identity::of(self)
    }

    fn room(&self) -> usize {
        self.capacity - self.rx.len().min(self.capacity)
    }

    /// Until the lane is found empty.
    fn run_all(&self, panics: &PanicCount) {
        while self.run_batch(panics) == Batch::Full {}
    }

    fn run_batch(&self, panics: &PanicCount) -> Batch {
        let _running = this_thread::run_lane(self.identity());
        let mut batch = None;
        if let Some(around) = &self.hooks.around {
            shielded("the hook around a batch of callbacks", || {
                around(&mut || batch = Some(self.call_events(panics)));
            });
        }
        batch.unwrap_or_else(|| self.call_events(panics))
    }

    /// Takes the events one by one: what waits behind a slow callback is left to other workers.
    fn call_events(&self, panics: &PanicCount) -> Batch {
        for _ in 0..BATCH_EVENTS_MAX {
            let Ok(event) = self.rx.try_recv() else {
                return Batch::Ended;
            };
            if self.stall.is_reached(|| self.room())
                && let Some(on_room) = &self.hooks.on_room
            {
                shielded("the hook for a lane with room", on_room);
            }
            if let Some(before_each) = &self.hooks.before_each {
                shielded("the hook before a callback", before_each);
            }
            // Beyond the callback itself, what it leaves behind may panic when it is dropped.
            if !matches!(shielded("a callback", || deliver(event)), Some(Ok(()))) {
                panics.add_one();
            }
            self.latch.subtract(1);
        }
        Batch::Full
    }
}

/// How a batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Batch {
    /// The lane was empty.
    Ended,
    /// There may be more.
    Full,
}

impl<C: IOCallback> LaneRun for Core<C> {
    fn run_seated(&self, panics: &PanicCount) -> Turn {
        match self.run_batch(panics) {
            Batch::Ended if self.seats.leave(|| self.rx.is_empty()) => Turn::Left,
            Batch::Ended | Batch::Full => Turn::Stays,
        }
    }
}

impl<C: IOCallback> Clone for Lane<C> {
    fn clone(&self) -> Self {
        Self {
            core: Arc::clone(&self.core),
            pool: self.pool.clone(),
        }
    }
}

impl<C: IOCallback> fmt::Debug for Lane<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane")
            .field("capacity", &self.capacity())
            .field("room", &self.room())
            .field("outstanding", &self.outstanding())
            .finish_non_exhaustive()
    }
}
