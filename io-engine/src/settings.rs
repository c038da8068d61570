//! What a context can be asked for.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use io_engine_core::{Backend, IOCallback, StartError};

use crate::context::IOContext;
use crate::cycle::{Cycle, Joined, ShortTransfers};
use crate::driver::{Carrier, Driver, Started};
use crate::event_loop::EventLoop;
use crate::event_queue::EventQueue;
use crate::idle::Idle;
use crate::outlet::CallbackWorker;

/// The depth of a context that was not asked for another: enough for one fast disk.
const DEPTH_DEFAULT: usize = 128;

/// Makes what joins the events of a loop of a depth.
type MakesJoined<C> = Box<dyn FnOnce(usize) -> Joined<C>>;

/// What a joining loop shows to the outside.
pub(crate) type JoinCounters = Option<Arc<dyn Any + Send + Sync>>;

fn into_cycle<C: IOCallback, B: Backend<C>>(
    backend: B,
    short_transfers: ShortTransfers,
    joined: Option<MakesJoined<C>>,
) -> (Cycle<C, B>, JoinCounters) {
    let joined = joined.map(|joined| joined(backend.capacity()));
    let (joins, counters) = joined.map(|joined| (joined.joins, joined.counters)).unzip();
    (Cycle::new(backend, short_transfers, joins), counters)
}

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
    depth: usize,
    carrier: Carrier,
    short_transfers: ShortTransfers,
    idle: Idle,
    joined: Option<MakesJoined<C>>,
    builds: PhantomData<fn(Q) -> C>,
}

impl<C: IOCallback, Q: EventQueue<C>> ContextBuilder<C, Q> {
    pub(crate) fn new() -> Self {
        Self {
            depth: DEPTH_DEFAULT,
            carrier: Carrier::Driver(Driver::Auto),
            short_transfers: ShortTransfers::Resume,
            idle: Idle::Adaptive,
            joined: None,
            builds: PhantomData,
        }
    }

    /// The most requests in flight, from 1 to [`DEPTH_MAX`](crate::DEPTH_MAX). 128 unless set.
    pub fn depth(self, depth: usize) -> Self {
        Self { depth, ..self }
    }

    /// What carries the requests. [`Driver::Auto`] unless set.
    pub fn driver(self, driver: Driver) -> Self {
        self.carried_by(Carrier::Driver(driver))
    }

    /// What happens to short transfers. [`ShortTransfers::Resume`] unless set.
    pub fn short_transfers(self, short_transfers: ShortTransfers) -> Self {
        Self {
            short_transfers,
            ..self
        }
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

    pub(crate) fn carried_by(self, carrier: Carrier) -> Self {
        Self { carrier, ..self }
    }

    #[allow(dead_code, reason = "called only where there is merging")]
    pub(crate) fn joined_by(self, joined: impl FnOnce(usize) -> Joined<C> + 'static) -> Self {
        Self {
            joined: Some(Box::new(joined)),
            ..self
        }
    }

    pub(crate) fn into_cycle<B: Backend<C>>(self, backend: B) -> (Cycle<C, B>, JoinCounters) {
        into_cycle(backend, self.short_transfers, self.joined)
    }

    pub(crate) fn chosen_idle(&self) -> Idle {
        self.idle
    }

    pub(crate) fn chosen_depth(&self) -> usize {
        self.depth
    }

    pub(crate) fn chosen_carrier(&self) -> &Carrier {
        &self.carrier
    }
}

impl<C: IOCallback, Q> fmt::Debug for ContextBuilder<C, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContextBuilder")
            .field("depth", &self.depth)
            .field("carrier", &self.carrier)
            .field("short_transfers", &self.short_transfers)
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
    depth: usize,
    carrier: Carrier,
    short_transfers: ShortTransfers,
    joined: Option<MakesJoined<C>>,
}

impl<C: IOCallback> LoopBuilder<C> {
    pub(crate) fn new() -> Self {
        Self {
            depth: DEPTH_DEFAULT,
            carrier: Carrier::Driver(Driver::Auto),
            short_transfers: ShortTransfers::Resume,
            joined: None,
        }
    }

    /// The most events inside, from 1 to [`DEPTH_MAX`](crate::DEPTH_MAX). 128 unless set.
    pub fn depth(self, depth: usize) -> Self {
        Self { depth, ..self }
    }

    /// What carries the requests. [`Driver::Auto`] unless set.
    pub fn driver(self, driver: Driver) -> Self {
        self.carried_by(Carrier::Driver(driver))
    }

    /// What happens to short transfers. [`ShortTransfers::Resume`] unless set.
    pub fn short_transfers(self, short_transfers: ShortTransfers) -> Self {
        Self {
            short_transfers,
            ..self
        }
    }

    /// Starts the loop. It has no thread of its own.
    ///
    /// # Errors
    /// As [`EventLoop::new`].
    pub fn build(self) -> Result<EventLoop<C>, StartError> {
        let Started {
            kernel,
            driver,
            fallback_reason,
        } = self.carrier.start(self.depth)?;
        let (cycle, counters) = into_cycle(kernel, self.short_transfers, self.joined);
        Ok(EventLoop::of_cycle(
            cycle,
            counters,
            driver,
            fallback_reason,
        ))
    }

    pub(crate) fn carried_by(self, carrier: Carrier) -> Self {
        Self { carrier, ..self }
    }

    #[allow(dead_code, reason = "called only where there is merging")]
    pub(crate) fn joined_by(self, joined: impl FnOnce(usize) -> Joined<C> + 'static) -> Self {
        Self {
            joined: Some(Box::new(joined)),
            ..self
        }
    }
}

impl<C: IOCallback> fmt::Debug for LoopBuilder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopBuilder")
            .field("depth", &self.depth)
            .field("carrier", &self.carrier)
            .field("short_transfers", &self.short_transfers)
            .finish_non_exhaustive()
    }
}
