//! What a running callback can hand events to without blocking.
//!
//! While callbacks run, their thread carries a scope: on the loop's own thread the loop's local
//! queue, on a worker a bounded way back into the context. Sending from inside a callback goes
//! there, never through the channel, which might be full while its loop waits for this callback.

use std::any::Any;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use io_engine_core::{Delivered, IOCallback, IOEvent};

use crate::cycle::Answered;
use crate::doorbell::Doorbell;
use crate::submit_error::SubmitError;

thread_local! {
    /// Innermost last: a callback may drive a loop of its own.
    static SCOPES: RefCell<Vec<Scope>> = const { RefCell::new(Vec::new()) };
}

/// The callback type is erased; the target inside is a `LocalQueue<C>` or a `WayBack<C>`.
enum Scope {
    Loop(Box<dyn Any>),
    #[allow(dead_code, reason = "made only where there are workers")]
    Worker {
        way_back: Arc<dyn Any + Send + Sync>,
        /// Whether the callback that runs now may still hand over one event by its own right.
        has_right: bool,
    },
}

/// The scope of the callbacks that a loop calls itself.
pub(crate) struct LoopScope<C: IOCallback> {
    /// `None` only while callbacks run: then the thread has it.
    queue: Option<Box<LocalQueue<C>>>,
    reserved: Arc<AtomicUsize>,
}

impl<C: IOCallback> LoopScope<C> {
    /// For a loop of `depth`, fed by `channel` if it is fed by one.
    pub(crate) fn new(depth: usize, channel: Option<Doorbell>) -> Self {
        let queue = LocalQueue::new(depth, channel);
        Self {
            reserved: Arc::clone(&queue.reserved),
            queue: Some(queue),
        }
    }

    /// How many events callbacks have handed over.
    pub(crate) fn len(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.events.len())
    }

    /// The next event that a callback has handed over.
    pub(crate) fn pop(&mut self) -> Option<IOEvent<C>> {
        self.queue.as_mut()?.events.pop_front()
    }

    /// From now on callbacks are refused; what is inside stays.
    pub(crate) fn close(&mut self) {
        if let Some(queue) = &mut self.queue {
            queue.closed = true;
        }
    }

    /// Calls the callbacks of what is at its end, as the thread's innermost scope.
    ///
    /// At the very end of a thread, where its thread-locals are gone, there is no scope: then
    /// callbacks find no loop to hand events over to.
    pub(crate) fn call(&mut self, answered: Answered<'_, C>) -> Delivered {
        let Some(mut queue) = self.queue.take() else {
            return Delivered::default();
        };
        let mut left = answered.event_count();
        queue.begin_batch(left);
        let mut lent = Some(queue);
        let entered = SCOPES.try_with(|scopes| {
            if let Some(queue) = lent.take() {
                scopes.borrow_mut().push(Scope::Loop(queue));
            }
        });
        // Only this thread writes it, so there is nothing to exchange.
        let delivered = answered.deliver(|| {
            left -= 1;
            self.reserved.store(left, Relaxed);
        });
        debug_assert_eq!(lent.is_some(), entered.is_err());
        self.queue = lent.or_else(leave_loop);
        delivered
    }
}

fn leave_loop<C: IOCallback>() -> Option<Box<LocalQueue<C>>> {
    let left = SCOPES.try_with(|scopes| scopes.borrow_mut().pop());
    let Ok(Some(Scope::Loop(queue))) = left else {
        unreachable!("the scope that was entered before");
    };
    queue.downcast().ok()
}

/// The events that callbacks on the loop's thread hand over, until the loop takes them.
struct LocalQueue<C: IOCallback> {
    events: VecDeque<IOEvent<C>>,
    depth: usize,
    capacity: usize,
    /// Places kept for the callbacks of this batch that have not been called yet: each can hand
    /// over at least one event for the one that it got. Counted down from outside the scope, by the
    /// thread that calls them.
    reserved: Arc<AtomicUsize>,
    closed: bool,
    channel: Option<Doorbell>,
}

impl<C: IOCallback> LocalQueue<C> {
    fn new(depth: usize, channel: Option<Doorbell>) -> Box<Self> {
        let events = VecDeque::with_capacity(depth);
        Box::new(Self {
            events,
            depth,
            capacity: depth,
            reserved: Arc::default(),
            closed: false,
            channel,
        })
    }

    fn begin_batch(&mut self, callbacks: usize) {
        self.reserved.store(callbacks, Relaxed);
        self.capacity = self.depth.max(self.events.len() + callbacks);
    }

    fn push(&mut self, event: IOEvent<C>) -> Result<(), SubmitError<IOEvent<C>>> {
        if self.closed {
            return Err(SubmitError::Closed(event));
        }
        if self.events.len() + self.reserved.load(Relaxed) >= self.capacity {
            return Err(SubmitError::Full(event));
        }
        self.events.push_back(event);
        Ok(())
    }
}

/// A worker's way back into a context.
///
/// Each callback has the right to one place, so it grows by as many events as there are callbacks
/// called while the loop does not look; beyond that right it takes no more than a depth.
pub(crate) struct WayBack<C: IOCallback> {
    events: Mutex<VecDeque<IOEvent<C>>>,
    depth: usize,
    channel: Doorbell,
}

#[allow(dead_code, reason = "made only where there are workers")]
impl<C: IOCallback> WayBack<C> {
    /// Back into the loop of this `depth` that is fed by `channel`.
    pub(crate) fn new(depth: usize, channel: Doorbell) -> Self {
        Self {
            events: Mutex::new(VecDeque::with_capacity(depth)),
            depth,
            channel,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    pub(crate) fn pop(&self) -> Option<IOEvent<C>> {
        self.lock().pop_front()
    }
}

impl<C: IOCallback> WayBack<C> {
    /// Takes `event`, by the callback's own right while it has it.
    fn push(&self, event: IOEvent<C>, has_right: &mut bool) -> Result<(), SubmitError<IOEvent<C>>> {
        if self.channel.is_closing() {
            return Err(SubmitError::Closed(event));
        }
        let mut events = self.lock();
        if !std::mem::take(has_right) && events.len() >= self.depth {
            return Err(SubmitError::Full(event));
        }
        events.push_back(event);
        drop(events);
        self.channel.announce();
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<IOEvent<C>>> {
        // Nothing that can panic runs under the lock.
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a batch of `callbacks` on a worker with `way_back` as the thread's scope, and takes it off
/// again when they unwind.
#[allow(dead_code, reason = "called only where there are workers")]
pub(crate) fn on_worker(way_back: Arc<dyn Any + Send + Sync>, callbacks: &mut dyn FnMut()) {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            let _ = SCOPES.try_with(|scopes| scopes.borrow_mut().pop());
        }
    }
    let scope = Scope::Worker {
        way_back,
        has_right: false,
    };
    let entered = SCOPES.try_with(|scopes| scopes.borrow_mut().push(scope));
    let _leave = entered.is_ok().then_some(Leave);
    callbacks();
}

/// Before each callback on a worker: it has the right to hand over one event.
#[allow(dead_code, reason = "called only where there are workers")]
pub(crate) fn renew_right() {
    let _ = SCOPES.try_with(|scopes| {
        if let Some(Scope::Worker { has_right, .. }) = scopes.borrow_mut().last_mut() {
            *has_right = true;
        }
    });
}

/// Hands `event` to the engine from inside one of its callbacks, never blocking.
///
/// It goes to the innermost loop or context on whose behalf this thread runs a callback of this
/// type: on the loop's own thread into the loop's local queue, without lock or system call; on a
/// worker back into its context.
///
/// Each callback can hand over one event for the one that it got; more are taken while fewer than
/// the depth are waiting.
///
/// ```
/// use io_engine::{Driver, EventLoop, Wait, resubmit};
/// use io_engine::tasks::{IOAction, IOCallback, IOEvent};
///
/// struct Again(u32);
///
/// impl IOCallback for Again {
///     fn call(self, event: IOEvent<Self>) {
///         if self.0 > 0 {
///             let (file, offset) = (event.file().clone(), event.offset());
///             let buffer = event.get_read_result().unwrap();
///             let mut next = IOEvent::new(file, buffer, IOAction::Read, offset);
///             next.set_callback(Again(self.0 - 1));
///             resubmit(next).expect("one event for the one that it got");
///         }
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let file = std::sync::Arc::new(std::fs::File::open("Cargo.toml")?);
/// let mut engine = EventLoop::<Again>::new(4, Driver::Auto)?;
/// let mut event = IOEvent::new(file, vec![0; 100].into(), IOAction::Read, 0);
/// event.set_callback(Again(9));
/// engine.submit(event)?;
/// let mut called = 0;
/// while engine.in_flight() > 0 {
///     called += engine.run(Wait::For(1))?;
/// }
/// assert_eq!(called, 10);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Each gives the event back. [`SubmitError::Full`]: keep the event, in the state that your
/// callbacks share, and hand it over from a later callback. [`SubmitError::Closed`]: the context
/// is shutting down, or this thread runs no callback of this type.
pub fn resubmit<C: IOCallback>(event: IOEvent<C>) -> Result<(), SubmitError<IOEvent<C>>> {
    // Spelled out: a result that is passed on as a whole is copied with room for the event in it.
    match offer(event, |_| true) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(refused)) => Err(refused),
        Err(event) => Err(SubmitError::Closed(event)),
    }
}

/// As [`resubmit`], but only to the context that `channel` feeds; `Err` with the event if this
/// thread runs no callback of it.
pub(crate) fn resubmit_to<C: IOCallback>(
    channel: &Doorbell,
    event: IOEvent<C>,
) -> Result<Result<(), SubmitError<IOEvent<C>>>, IOEvent<C>> {
    offer(event, |candidate| {
        candidate.is_some_and(|candidate| candidate.is(channel))
    })
}

/// Whether this thread runs a callback of any loop or context.
pub(crate) fn is_inside_callback() -> bool {
    let inside = SCOPES.try_with(|scopes| !scopes.borrow().is_empty());
    inside.unwrap_or(false)
}

fn offer<C: IOCallback>(
    event: IOEvent<C>,
    fits: impl Fn(Option<&Doorbell>) -> bool,
) -> Result<Result<(), SubmitError<IOEvent<C>>>, IOEvent<C>> {
    if SCOPES.try_with(|_| ()).is_err() {
        return Err(event);
    }
    SCOPES.with(move |scopes| {
        for scope in scopes.borrow_mut().iter_mut().rev() {
            match scope {
                Scope::Loop(local) => {
                    if let Some(local) = local.downcast_mut::<LocalQueue<C>>()
                        && fits(local.channel.as_ref())
                    {
                        return Ok(local.push(event));
                    }
                }
                Scope::Worker {
                    way_back,
                    has_right,
                } => {
                    if let Some(way_back) = way_back.downcast_ref::<WayBack<C>>()
                        && fits(Some(&way_back.channel))
                    {
                        return Ok(way_back.push(event, has_right));
                    }
                }
            }
        }
        Err(event)
    })
}
