//! What a context can be asked for.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use io_engine_core::{IOCallback, StartError};

use crate::context::IOContext;
use crate::cycle::{Joined, ShortTransfers};
use crate::cycle_settings::CycleSettings;
use crate::driver::{Carrier, Driver};
use crate::event_loop::EventLoop;
use crate::event_queue::EventQueue;
use crate::idle::Idle;
use crate::outlet::CallbackWorker;

/// Sets a context up step by step.
///
/// ```
/// use io_engine::callback_worker::Inline;
/// use io_engine::{Driver, IOContext, ShortTransfers};
///
/// let (tx, rx) = io_engine::channel::<()>(64);
/// let ctx = IOContext::builder()
///     .depth(32)
///     .driver(Driver::Threads)
///     .short_transfers(ShortTransfers::Report)
///     .build(rx, &Inline)?;
/// assert_eq!((ctx.depth(), ctx.driver()), (32, Driver::Threads));
/// # drop(tx);
/// # Ok::<(), io_engine::StartError>(())
/// ```
#[must_use = "it starts nothing until it is built"]
pub struct ContextBuilder<C: IOCallback, Q> {
    cycle: CycleSettings<C>,
    idle: Idle,
    builds: PhantomData<fn(Q) -> C>,
}

impl<C: IOCallback, Q: EventQueue<C>> ContextBuilder<C, Q> {
    pub(crate) fn new() -> Self {
        Self {
            cycle: CycleSettings::new(),
            idle: Idle::Adaptive,
            builds: PhantomData,
        }
    }

    /// The most requests in flight, from 1 to [`DEPTH_MAX`](crate::DEPTH_MAX). 128 unless set.
    pub fn depth(mut self, depth: usize) -> Self {
        self.cycle.depth = depth;
        self
    }

    /// What carries the requests. [`Driver::Auto`] unless set.
    pub fn driver(self, driver: Driver) -> Self {
        self.carried_by(Carrier::Driver(driver))
    }

    /// What happens to short transfers. [`ShortTransfers::Resume`] unless set.
    pub fn short_transfers(mut self, short_transfers: ShortTransfers) -> Self {
        self.cycle.short_transfers = short_transfers;
        self
    }

    /// Logs what has been in flight for longer than `limit`, as a warning of `tracing`: its file, offset,
    /// length and age; again each time that the age has doubled. Off unless set.
    ///
    /// For storage that may hang; the requests themselves go on. The loop looks at all that is in
    /// flight four times within `limit`, and pays nothing for a request that is sent or answered.
    pub fn log_stuck_io(mut self, limit: Duration) -> Self {
        self.cycle.stuck_after = Some(limit);
        self
    }

    /// What the context's thread does when there is nothing to do. [`Idle::Adaptive`] unless set.
    pub fn idle(self, idle: Idle) -> Self {
        Self { idle, ..self }
    }

    /// Starts the context.
    ///
    /// # Errors
    /// As [`IOContext::new`].
    pub fn build<W: CallbackWorker<C>>(
        self,
        queue: Q,
        workers: &W,
    ) -> Result<IOContext<C, Q>, StartError> {
        IOContext::start(self, queue, workers)
    }

    pub(crate) fn carried_by(mut self, carrier: Carrier) -> Self {
        self.cycle.carrier = carrier;
        self
    }

    #[allow(dead_code, reason = "called only where there is merging")]
    pub(crate) fn joined_by(mut self, joined: impl FnOnce(usize) -> Joined<C> + 'static) -> Self {
        self.cycle.joined = Some(Box::new(joined));
        self
    }

    /// What its cycle is to be, and what its thread does when there is nothing to do.
    pub(crate) fn into_parts(self) -> (CycleSettings<C>, Idle) {
        (self.cycle, self.idle)
    }
}

impl<C: IOCallback, Q> fmt::Debug for ContextBuilder<C, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContextBuilder")
            .field("cycle", &self.cycle)
            .field("idle", &self.idle)
            .finish_non_exhaustive()
    }
}

/// Sets an [`EventLoop`] up step by step.
///
/// ```
/// use io_engine::{Driver, EventLoop, ShortTransfers};
///
/// let engine = EventLoop::<()>::builder()
///     .depth(32)
///     .driver(Driver::Threads)
///     .short_transfers(ShortTransfers::Report)
///     .build()?;
/// assert_eq!((engine.depth(), engine.driver()), (32, Driver::Threads));
/// # Ok::<(), io_engine::StartError>(())
/// ```
#[must_use = "it starts nothing until it is built"]
pub struct LoopBuilder<C: IOCallback> {
    cycle: CycleSettings<C>,
}

impl<C: IOCallback> LoopBuilder<C> {
    pub(crate) fn new() -> Self {
        Self {
            cycle: CycleSettings::new(),
        }
    }

    /// The most events inside, from 1 to [`DEPTH_MAX`](crate::DEPTH_MAX). 128 unless set.
    pub fn depth(mut self, depth: usize) -> Self {
        self.cycle.depth = depth;
        self
    }

    /// What carries the requests. [`Driver::Auto`] unless set.
    pub fn driver(self, driver: Driver) -> Self {
        self.carried_by(Carrier::Driver(driver))
    }

    /// What happens to short transfers. [`ShortTransfers::Resume`] unless set.
    pub fn short_transfers(mut self, short_transfers: ShortTransfers) -> Self {
        self.cycle.short_transfers = short_transfers;
        self
    }

    /// Logs what has been in flight for longer than `limit`, as a warning of `tracing`: its file, offset,
    /// length and age; again each time that the age has doubled. Off unless set.
    ///
    /// For storage that may hang; the requests themselves go on. The loop looks at all that is in
    /// flight four times within `limit`, and pays nothing for a request that is sent or answered.
    pub fn log_stuck_io(mut self, limit: Duration) -> Self {
        self.cycle.stuck_after = Some(limit);
        self
    }

    /// Starts the loop. It has no thread of its own.
    ///
    /// # Errors
    /// As [`EventLoop::new`].
    pub fn build(self) -> Result<EventLoop<C>, StartError> {
        let (cycle, shown) = self.cycle.start()?;
        Ok(EventLoop::of_cycle(cycle, shown))
    }

    pub(crate) fn carried_by(mut self, carrier: Carrier) -> Self {
        self.cycle.carrier = carrier;
        self
    }

    #[allow(dead_code, reason = "called only where there is merging")]
    pub(crate) fn joined_by(mut self, joined: impl FnOnce(usize) -> Joined<C> + 'static) -> Self {
        self.cycle.joined = Some(Box::new(joined));
        self
    }
}

impl<C: IOCallback> fmt::Debug for LoopBuilder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopBuilder")
            .field("cycle", &self.cycle)
            .finish_non_exhaustive()
    }
}
