//! What a running callback can hand events to without blocking.
//!
//! While callbacks run, their thread carries a scope: on the loop's own thread the loop's local
//! queue, on a worker a bounded way back into the context. Sending from inside a callback goes
//! there, never through the channel, which might be full while its loop waits for this callback.
#![allow(
    unsafe_code,
    reason = "the scopes of a thread are found through pointers to its stack"
)]

use std::any::TypeId;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use io_engine_core::{IOCallback, IOEvent};

use crate::doorbell::Doorbell;
use crate::submit_error::SubmitError;

thread_local! {
    /// The innermost scope; null where no callback runs. A callback may drive a loop of its own, so
    /// each scope knows the one outside of it.
    static INNERMOST: Cell<*const Scope> = const { Cell::new(ptr::null()) };
}

/// What callbacks of a loop or context can hand events to while they run.
pub(crate) trait Accepts<C: IOCallback> {
    /// The channel that feeds it, if it is fed by one.
    fn channel(&self) -> Option<&Doorbell>;

    /// Takes `event` or refuses it; never blocks.
    fn accept(&self, event: IOEvent<C>) -> Result<(), SubmitError<IOEvent<C>>>;
}

/// The part of a scope that is known without the type of its callbacks. Lives on the stack of
/// [`entered`], for as long as the callbacks run.
#[repr(C)]
struct Scope {
    outer: *const Self,
    callback_type: TypeId,
}

#[repr(C)]
struct TypedScope<'a, C: IOCallback> {
    scope: Scope,
    target: &'a dyn Accepts<C>,
}

/// Runs `callbacks` with `target` as the thread's innermost scope, and takes it off again, also when
/// they unwind.
pub(crate) fn entered<C: IOCallback, R>(
    target: &dyn Accepts<C>,
    callbacks: impl FnOnce() -> R,
) -> R {
    struct Leave(*const Scope);
    impl Drop for Leave {
        fn drop(&mut self) {
            INNERMOST.set(self.0);
        }
    }
    let scope = Scope {
        outer: INNERMOST.get(),
        callback_type: TypeId::of::<C>(),
    };
    let _leave = Leave(scope.outer);
    let typed = TypedScope { scope, target };
    INNERMOST.set((&raw const typed).cast());
    callbacks()
}

/// The innermost scope of callbacks of type `C` whose channel `fits`; `None` if this thread runs no
/// such callback.
///
/// # Safety
/// The target must not be used after the caller of this function has returned: it lives for as long as
/// the callbacks that are running now.
#[inline]
unsafe fn innermost<'a, C: IOCallback>(
    fits: impl Fn(Option<&Doorbell>) -> bool,
) -> Option<&'a dyn Accepts<C>> {
    let mut next = INNERMOST.get();
    // SAFETY: a scope is in the list exactly while `entered` runs, on whose stack it lives: it is put
    // there and taken off by this thread alone, in the order of the stack, and `entered` returns after
    // our caller.
    while let Some(scope) = unsafe { next.as_ref() } {
        if scope.callback_type == TypeId::of::<C>() {
            // SAFETY: `next` leads to the first field of a `TypedScope<C>`, in C's layout, which
            // lives for as long as its scope is in the list, and what it borrows for longer.
            let typed = unsafe { &*next.cast::<TypedScope<'_, C>>() };
            if fits(typed.target.channel()) {
                return Some(typed.target);
            }
        }
        next = scope.outer;
    }
    None
}

/// The scope of the callbacks that a loop calls itself: the events that they hand over, until the
/// loop takes them.
pub(crate) struct LoopScope<C: IOCallback> {
    events: RefCell<VecDeque<IOEvent<C>>>,
    depth: usize,
    /// Whether the callback that runs now may still hand over one event by its own right.
    has_right: Cell<bool>,
    closed: Cell<bool>,
    channel: Option<Doorbell>,
}

impl<C: IOCallback> LoopScope<C> {
    /// For a loop of `depth`, fed by `channel` if it is fed by one.
    pub(crate) fn new(depth: usize, channel: Option<Doorbell>) -> Self {
        Self {
            events: RefCell::new(VecDeque::with_capacity(depth)),
            depth,
            has_right: Cell::new(false),
            closed: Cell::new(false),
            channel,
        }
    }

    /// How many events callbacks have handed over.
    pub(crate) fn len(&self) -> usize {
        self.events.borrow().len()
    }

    /// The next event that a callback has handed over.
    #[inline]
    pub(crate) fn pop(&self) -> Option<IOEvent<C>> {
        self.events.borrow_mut().pop_front()
    }

    /// From now on callbacks are refused; what is inside stays.
    pub(crate) fn close(&self) {
        self.closed.set(true);
    }

    /// Before each callback: it has the right to hand over one event.
    #[inline]
    pub(crate) fn renew_right(&self) {
        self.has_right.set(true);
        if let Some(channel) = &self.channel {
            channel.callbacks().begin_one();
        }
    }

    pub(crate) fn channel(&self) -> Option<&Doorbell> {
        self.channel.as_ref()
    }

    /// Whether the callback that runs now may still hand over one event by its own right.
    pub(crate) fn has_right(&self) -> bool {
        self.has_right.get()
    }

    /// Whether an event may pass by it, as nothing is inside and it is open; then that was the
    /// callback's right.
    #[inline]
    pub(crate) fn lets_pass(&self) -> bool {
        let passes = !self.closed.get() && self.events.borrow().is_empty();
        self.has_right.set(self.has_right.get() && !passes);
        passes
    }

    /// Takes `event`, by the callback's own right while it has it; beyond that while fewer than the
    /// depth are inside or have `passed` since the callbacks began.
    pub(crate) fn push(
        &self,
        event: IOEvent<C>,
        passed: usize,
    ) -> Result<(), SubmitError<IOEvent<C>>> {
        if self.closed.get() {
            return Err(SubmitError::Closed(event));
        }
        let mut events = self.events.borrow_mut();
        if !self.has_right.replace(false) && events.len() + passed >= self.depth {
            return Err(SubmitError::Full(event));
        }
        events.push_back(event);
        Ok(())
    }
}

thread_local! {
    /// As [`LoopScope::has_right`], on a worker: many of them share a way back.
    static WORKER_HAS_RIGHT: Cell<bool> = const { Cell::new(false) };
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

impl<C: IOCallback> Accepts<C> for WayBack<C> {
    fn channel(&self) -> Option<&Doorbell> {
        Some(&self.channel)
    }

    /// By the callback's own right while it has it.
    fn accept(&self, event: IOEvent<C>) -> Result<(), SubmitError<IOEvent<C>>> {
        if self.channel.is_closing() {
            return Err(SubmitError::Closed(event));
        }
        let mut events = self.lock();
        if !WORKER_HAS_RIGHT.replace(false) && events.len() >= self.depth {
            return Err(SubmitError::Full(event));
        }
        events.push_back(event);
        drop(events);
        self.channel.announce();
        Ok(())
    }
}

impl<C: IOCallback> WayBack<C> {
    fn lock(&self) -> MutexGuard<'_, VecDeque<IOEvent<C>>> {
        // Nothing that can panic runs under the lock.
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Before each callback on a worker: it has the right to hand over one event.
#[allow(dead_code, reason = "called only where there are workers")]
pub(crate) fn renew_worker_right() {
    WORKER_HAS_RIGHT.set(true);
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
///     fn call(self, mut event: IOEvent<Self>) {
///         event.get_result().unwrap();
///         if self.0 > 0 {
///             event.renew(IOAction::Read, event.offset());
///             event.set_callback(Again(self.0 - 1));
///             resubmit(event).expect("one event for the one that it got");
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
#[inline]
pub fn resubmit<C: IOCallback>(event: IOEvent<C>) -> Result<(), SubmitError<IOEvent<C>>> {
    // SAFETY: it is used in this function only.
    match unsafe { innermost(|_| true) } {
        Some(target) => target.accept(event),
        None => Err(SubmitError::Closed(event)),
    }
}

/// As [`resubmit`], but only to the context that `channel` feeds; `Err` with the event if this
/// thread runs no callback of it.
#[inline]
pub(crate) fn resubmit_to<C: IOCallback>(
    channel: &Doorbell,
    event: IOEvent<C>,
) -> Result<Result<(), SubmitError<IOEvent<C>>>, IOEvent<C>> {
    let fits = |candidate: Option<&Doorbell>| candidate.is_some_and(|one| one.is(channel));
    // SAFETY: it is used in this function only.
    match unsafe { innermost(fits) } {
        Some(target) => Ok(target.accept(event)),
        None => Err(event),
    }
}

/// Whether this thread runs a callback of any loop or context.
pub(crate) fn is_inside_callback() -> bool {
    !INNERMOST.get().is_null()
}
