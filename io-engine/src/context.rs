//! The public face of the engine with a thread of its own. No loop is in here.

use std::any::Any;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use io_engine_core::{FileHandle, IOCallback, StartError};

use crate::context_loop::ContextLoop;
use crate::cycle_settings::Shown;
use crate::driver::Driver;
use crate::event_queue::{EventQueue, Source};
use crate::outlet::{CallbackWorker, OutletSettings};
use crate::running::Running;
use crate::settings::ContextBuilder;
use crate::shutdown_error::ShutdownError;

/// The engine on a thread of its own: takes events from a queue, carries them out, calls each
/// callback exactly once.
///
/// ```
/// use io_engine::callback_worker::IOWorkers;
/// use io_engine::tasks::{ClosureCb, IOAction, IOEvent};
/// use io_engine::{Buffer, Driver, IOContext};
/// use std::sync::Arc;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (tx, rx) = crossbeam_channel::bounded(128);
/// let _ctx = IOContext::<ClosureCb, _>::new(16, rx, &IOWorkers::new(1), Driver::Auto)?;
///
/// let file = Arc::new(tempfile::tempfile()?);
/// let mut buffer = Buffer::aligned(4096)?;
/// buffer[0] = 65;
/// let mut event = IOEvent::new(file, buffer, IOAction::Write, 0);
/// let (done_tx, done_rx) = crossbeam_channel::bounded(1);
/// event.set_callback(ClosureCb(Box::new(move |event| {
///     let _ = done_tx.send(event);
/// })));
/// tx.send(event)?;
/// let event = done_rx.recv()?;
/// assert!(event.is_done());
/// event.get_write_result()?;
/// # Ok(())
/// # }
/// ```
///
/// # Ending
/// [`shutdown`](Self::shutdown), or dropping it, refuses new events, finishes what had been
/// accepted, waits until every callback has returned, and joins the thread. From inside a callback,
/// of whichever context, it returns at once, and the rest happens on its own: waiting could mean
/// waiting for that very callback. When all senders are gone the context finishes what is inside
/// and its thread ends early.
///
/// Threads that send without pause while the context ends should send through
/// [`channel`](crate::channel()), which loses nothing however close the race. Of a bounded crossbeam
/// channel, an event whose `send` succeeds in the very instant in which its receiver is dropped
/// stays inside, and nobody can take it out. Keep no clone of that receiver: senders would not learn
/// that the context has ended.
pub struct IOContext<C: IOCallback, Q = crate::SubmissionQueue<C>> {
    running: Option<Running>,
    depth: usize,
    shown: Shown,
    callback_panics: Arc<AtomicU64>,
    serves: PhantomData<fn(Q) -> C>,
}

impl<C: IOCallback, Q: EventQueue<C>> IOContext<C, Q> {
    /// Serves `queue` with at most `depth` requests in flight, from 1 to
    /// [`DEPTH_MAX`](crate::DEPTH_MAX), carried by `driver`, with callbacks on `workers`.
    ///
    /// # Errors
    /// The depth is out of range, the driver cannot start (the error says why and what helps), or
    /// no thread can be started. What was in the queue gets its callback, with an error.
    pub fn new<W: CallbackWorker<C>>(
        depth: usize,
        queue: Q,
        workers: &W,
        driver: Driver,
    ) -> Result<Self, StartError> {
        Self::builder()
            .depth(depth)
            .driver(driver)
            .build(queue, workers)
    }

    /// A context with more to choose than [`new`](Self::new) asks for.
    pub fn builder() -> ContextBuilder<C, Q> {
        ContextBuilder::new()
    }

    pub(crate) fn start<W: CallbackWorker<C>>(
        settings: ContextBuilder<C, Q>,
        queue: Q,
        workers: &W,
    ) -> Result<Self, StartError> {
        let (settings, idle) = settings.into_parts();
        let (cycle, shown) = match settings.start() {
            Ok(started) => started,
            Err(error) => {
                queue.refuse();
                return Err(error);
            }
        };
        let depth = cycle.depth();
        let Source { queue, forwarder } = queue.open_source(depth);
        let doorbell = queue.doorbell().clone();
        let outlet = workers.open_outlet(OutletSettings {
            depth,
            channel: doorbell.clone(),
        });
        let callback_panics = Arc::new(AtomicU64::new(0));
        let work = ContextLoop::new(cycle, queue, outlet, idle, Arc::clone(&callback_panics));
        let running = Running::start(doorbell, || work.run()).map_err(no_thread)?;
        let mut context = Self {
            running: Some(running),
            depth,
            shown,
            callback_panics,
            serves: PhantomData,
        };
        if let (Some(running), Some(forwarder)) = (&mut context.running, forwarder) {
            // Without it the context is dropped here, and its thread with it.
            running.start_forwarder(forwarder).map_err(no_thread)?;
        }
        Ok(context)
    }
}

impl<C: IOCallback, Q> IOContext<C, Q> {
    /// Refuses new events, finishes what had been accepted, waits until every callback has
    /// returned, and joins the engine's threads. Dropping the context does the same.
    ///
    /// From inside a callback, of whichever context, it returns at once, and the rest happens on
    /// its own.
    ///
    /// # Errors
    /// A thread of the engine has panicked; the log has its message.
    pub fn shutdown(mut self) -> io::Result<()> {
        Ok(self.close()?)
    }

    /// As [`shutdown`](Self::shutdown), but for `limit` at most: for storage that may hang.
    ///
    /// What the device has not answered by then is given up: the callbacks are called with an error of
    /// kind `BrokenPipe`, and what the kernel may still use (buffers, the queue) is leaked, never
    /// freed. This takes up to half a second beyond `limit`. Threads of the engine that are held up in a
    /// call are left behind and end when it returns.
    ///
    /// From inside a callback, of whichever context, it returns at once as [`shutdown`](Self::shutdown)
    /// does, and `limit` means nothing: the rest happens on its own, however long it takes.
    ///
    /// # Errors
    /// [`ShutdownError::StillInFlight`] says how many events were given up, and
    /// [`ShutdownError::HeldUp`] that the loop itself or a callback is held up.
    ///
    /// ```
    /// # use io_engine::{Driver, IOContext, ShutdownError, callback_worker::Inline};
    /// # let (tx, rx) = io_engine::channel::<()>(8);
    /// # let ctx = IOContext::new(8, rx, &Inline, Driver::Auto)?;
    /// match ctx.shutdown_timeout(std::time::Duration::from_secs(10)) {
    ///     Ok(()) => {}
    ///     Err(ShutdownError::StillInFlight(events)) => eprintln!("{events} events were lost"),
    ///     Err(error) => eprintln!("{error}"),
    /// }
    /// # Ok::<(), io_engine::StartError>(())
    /// ```
    pub fn shutdown_timeout(mut self, limit: Duration) -> Result<(), ShutdownError> {
        let running = self.running.take();
        running.map_or(Ok(()), |running| running.close_within(limit))
    }

    /// The most requests that can be in flight.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// The driver that carries the requests; [`Driver::Auto`] only on a simulated disk, where none does.
    ///
    /// It changes if [`Driver::Auto`] has taken io_uring and a sandbox forbids it later.
    #[must_use]
    pub fn driver(&self) -> Driver {
        self.shown.driver.driver()
    }

    /// Why [`Driver::Auto`] passed better drivers over, or left one; `None` if it did not.
    #[must_use]
    pub fn fallback_reason(&self) -> Option<&str> {
        self.shown.driver.fallback_reason()
    }

    /// How many callbacks have panicked so far; with a pool of workers, those of all its contexts.
    #[must_use]
    pub fn callback_panics(&self) -> u64 {
        self.callback_panics.load(Ordering::Relaxed)
    }

    /// Lets syncs of `file` succeed again after one has failed, and gives that one's error; `None` if
    /// none has failed since the last time.
    ///
    /// The kernel tells of bytes that it could not write once, and forgets: a second `fsync` succeeds
    /// though they are lost. So after a failed `Sync` or `DataSync` each later one through the same
    /// descriptor of this context fails with the same error, until this is called. Call it when what
    /// was written since the last good sync has been written again, or is no longer counted on. A
    /// descriptor that was closed and given to another file begins anew.
    ///
    /// ```
    /// # use io_engine::{Driver, IOContext, callback_worker::Inline};
    /// # let (tx, rx) = io_engine::channel::<()>(8);
    /// # let ctx = IOContext::new(8, rx, &Inline, Driver::Threads)?;
    /// let log = std::sync::Arc::new(tempfile::tempfile()?);
    /// if let Some(error) = ctx.acknowledge_sync_failure(&log) {
    ///     eprintln!("writing the log anew: {error}");
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn acknowledge_sync_failure(&self, file: impl Into<FileHandle>) -> Option<io::Error> {
        self.shown
            .sync_failures
            .acknowledge(file.into().as_raw_fd())
    }

    #[allow(dead_code, reason = "called only where there is merging")]
    pub(crate) fn join_counters(&self) -> Option<&(dyn Any + Send + Sync)> {
        self.shown.join_counters.as_deref()
    }

    fn close(&mut self) -> Result<(), ShutdownError> {
        self.running.take().map_or(Ok(()), Running::close)
    }
}

impl<C: IOCallback, Q> Drop for IOContext<C, Q> {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(%error, "a context ended badly");
        }
    }
}

fn no_thread(cause: io::Error) -> StartError {
    StartError::new(
        "a thread of the context",
        cause,
        "the limit is RLIMIT_NPROC (ulimit -u), pids.max of the cgroup, or memory; raise it or use io_engine::EventLoop, which needs no thread",
    )
}

impl<C: IOCallback, Q> fmt::Debug for IOContext<C, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IOContext")
            .field("driver", &self.driver())
            .field("depth", &self.depth)
            .finish_non_exhaustive()
    }
}
