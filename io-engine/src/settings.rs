//! What a context can be asked for.

use std::fmt;
use std::marker::PhantomData;

use io_engine_core::{Backend, IOCallback, StartError};

use crate::context::IOContext;
use crate::cycle::{Cycle, Joins, ShortTransfers};
use crate::driver::Driver;
use crate::event_queue::EventQueue;
use crate::idle::Idle;
use crate::outlet::CallbackWorker;

/// The depth of a context that was not asked for another: enough for one fast disk.
const DEPTH_DEFAULT: usize = 128;

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
    driver: Driver,
    short_transfers: ShortTransfers,
    idle: Idle,
    joins: Option<Box<dyn Joins<C>>>,
    builds: PhantomData<fn(Q) -> C>,
}

impl<C: IOCallback, Q: EventQueue<C>> ContextBuilder<C, Q> {
    pub(crate) fn new() -> Self {
        Self {
            depth: DEPTH_DEFAULT,
            driver: Driver::Auto,
            short_transfers: ShortTransfers::Resume,
            idle: Idle::Adaptive,
            joins: None,
            builds: PhantomData,
        }
    }

    /// The most requests in flight, from 1 to [`DEPTH_MAX`](crate::DEPTH_MAX). 128 unless set.
    pub fn depth(self, depth: usize) -> Self {
        Self { depth, ..self }
    }

    /// What carries the requests. [`Driver::Auto`] unless set.
    pub fn driver(self, driver: Driver) -> Self {
        Self { driver, ..self }
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

    #[allow(dead_code, reason = "called only where there is merging")]
    pub(crate) fn joined_by(self, joins: Box<dyn Joins<C>>) -> Self {
        Self {
            joins: Some(joins),
            ..self
        }
    }

    pub(crate) fn into_cycle<B: Backend<C>>(self, backend: B) -> Cycle<C, B> {
        Cycle::new(backend, self.short_transfers, self.joins)
    }

    pub(crate) fn chosen_idle(&self) -> Idle {
        self.idle
    }

    pub(crate) fn chosen_depth(&self) -> usize {
        self.depth
    }

    pub(crate) fn chosen_driver(&self) -> Driver {
        self.driver
    }
}

impl<C: IOCallback, Q> fmt::Debug for ContextBuilder<C, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContextBuilder")
            .field("depth", &self.depth)
            .field("driver", &self.driver)
            .field("short_transfers", &self.short_transfers)
            .field("idle", &self.idle)
            .finish_non_exhaustive()
    }
}
