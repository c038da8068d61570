//! The loop on the caller's own thread.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::io;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use io_engine_core::{FileHandle, Full, IOCallback, IOEvent, StartError, Wait, Waker};

use crate::callback_scope::LoopScope;
use crate::cycle::{Cycle, Resubmitted, ShortTransfers, serve};
use crate::cycle_settings::Shown;
use crate::driver::{Driver, Kernel};
use crate::settings::LoopBuilder;
use crate::shutdown_error::ShutdownError;

/// The engine without a thread: the caller submits, runs, and has its callbacks called right there.
///
/// For embedded builds and thread-per-core programs. Nothing is handed between threads; a callback
/// that submits again, with [`resubmit`](crate::resubmit), costs a push to a local queue.
///
/// It belongs to one thread at a time and may move to another while nothing is inside.
///
/// ```
/// use io_engine::tasks::{IOAction, IOCallback, IOEvent};
/// use io_engine::{Buffer, Driver, EventLoop, Wait};
///
/// struct Written;
///
/// impl IOCallback for Written {
///     fn call(self, event: IOEvent<Self>) {
///         event.get_write_result().expect("the disk has room");
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let file = std::sync::Arc::new(tempfile::tempfile()?);
/// let mut engine = EventLoop::<Written>::new(128, Driver::Auto)?;
/// let mut event = IOEvent::new(file, Buffer::aligned(4096)?, IOAction::Write, 0);
/// event.set_callback(Written);
/// engine.submit(event)?;
/// assert_eq!(engine.run(Wait::For(1))?, 1);
/// # Ok(())
/// # }
/// ```
///
/// # Dropping
/// Finishes what was accepted and calls every callback; callbacks are refused when they submit
/// again meanwhile. This waits for as long as the kernel needs. Dropped on another thread than the
/// one that ran it, with io_uring and requests in flight, it cannot finish: their callbacks are called
/// with an error of kind `BrokenPipe`, and their buffers are leaked.
///
/// # Signals
/// The engine's own threads block `SIGXFSZ`; this is the caller's thread. A write beyond
/// `RLIMIT_FSIZE` may end the process, unless the caller blocks or ignores that signal.
pub struct EventLoop<C: IOCallback> {
    /// Shared with the callbacks while they run.
    cycle: RefCell<Cycle<C, Kernel<C>>>,
    local: LoopScope<C>,
    /// Events in the cycle.
    admitted: usize,
    waker: Waker,
    shown: Shown,
    callback_panics: u64,
}

impl<C: IOCallback> EventLoop<C> {
    /// A loop with at most `depth` events inside, from 1 to
    /// [`DEPTH_MAX`](crate::DEPTH_MAX), carried by `driver`.
    ///
    /// # Errors
    /// The depth is out of range, or the driver cannot start: the error says why and what helps.
    pub fn new(depth: usize, driver: Driver) -> Result<Self, StartError> {
        Self::builder().depth(depth).driver(driver).build()
    }

    /// A loop with more to choose than [`new`](Self::new) asks for.
    pub fn builder() -> LoopBuilder<C> {
        LoopBuilder::new()
    }

    /// As [`new`](Self::new), and chooses what happens to short transfers.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_short_transfers(
        depth: usize,
        driver: Driver,
        short_transfers: ShortTransfers,
    ) -> Result<Self, StartError> {
        let builder = Self::builder().depth(depth).driver(driver);
        builder.short_transfers(short_transfers).build()
    }

    pub(crate) fn of_cycle(cycle: Cycle<C, Kernel<C>>, shown: Shown) -> Self {
        Self {
            waker: cycle.waker(),
            local: LoopScope::new(cycle.depth(), None),
            cycle: RefCell::new(cycle),
            admitted: 0,
            shown,
            callback_panics: 0,
        }
    }

    /// Takes `event` until its callback is called, by a later [`run`](Self::run). Makes no system
    /// call, apart from those that a continued event (`res` from 0 on) costs.
    ///
    /// # Errors
    /// [`Full`] with the event when `depth` events are inside.
    pub fn submit(&mut self, event: IOEvent<C>) -> Result<(), Full<IOEvent<C>>> {
        if self.in_flight() >= self.cycle.get_mut().depth() {
            return Err(Full(event));
        }
        self.admit(event);
        Ok(())
    }

    /// Sends what was submitted, waits according to `wait`, calls the callbacks of what has
    /// finished, and says how many there were.
    ///
    /// `Wait::For(n)` returns when n callbacks have been called, or as many as there are events
    /// inside, or the [doorbell](Self::waker) was rung; with nothing inside it returns at once.
    /// What callbacks submit again is sent by the same or the next `run`. A callback that panics
    /// is caught, counted ([`callback_panics`](Self::callback_panics)) and logged.
    ///
    /// # Errors
    /// The queue to the kernel is broken; the callbacks of what was with the kernel have been called
    /// then, with an error, and those of what was not are called by running it again. Where threads make
    /// calls beside the queue, it goes on until the last of these is answered. Or the loop was
    /// moved between threads with requests in flight; then nothing is lost and running it on the old
    /// thread goes on.
    pub fn run(&mut self, wait: Wait) -> io::Result<usize> {
        let rings_heard = self.waker.rings_heard();
        let mut called = 0;
        loop {
            self.take_local();
            let left = match wait {
                Wait::For(count) => Wait::For(self.requests_for(count.saturating_sub(called))),
                Wait::Never | Wait::Until(_) => wait,
            };
            let turned = self.cycle.get_mut().turn(left);
            called += self.call_finished();
            turned?;
            // A turn may bring less than was waited for: the rest of a short transfer is on its
            // way then. Only a ring must not be slept over.
            let waits_on = match wait {
                Wait::Never => false,
                Wait::For(count) => called < count,
                Wait::Until(deadline) => called == 0 && Instant::now() < deadline,
            };
            let rung = self.waker.rings_heard() != rings_heard;
            if !waits_on || rung || self.in_flight() == 0 {
                return Ok(called);
            }
        }
    }

    /// The most requests that can be inside.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.cycle.borrow().depth()
    }

    /// Events inside: submitted, by the caller or by callbacks, and not finished. Those that a
    /// `MergeSubmitter` has joined before count as one, as they are one request.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        let cycle = self.cycle.borrow();
        let admitted = match cycle.batch_max() {
            // What will be one request is several events until then, and while it is on its way.
            Some(_) => self.admitted,
            None => cycle.inside(),
        };
        admitted + self.local.len()
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

    /// How many callbacks have panicked.
    #[must_use]
    pub fn callback_panics(&self) -> u64 {
        self.callback_panics
    }

    /// As [`IOContext::acknowledge_sync_failure`](crate::IOContext::acknowledge_sync_failure).
    ///
    /// ```
    /// # use io_engine::{Driver, EventLoop};
    /// # let engine = EventLoop::<()>::new(1, Driver::Threads)?;
    /// let log = std::sync::Arc::new(tempfile::tempfile()?);
    /// assert!(engine.acknowledge_sync_failure(&log).is_none());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn acknowledge_sync_failure(&self, file: impl Into<FileHandle>) -> Option<io::Error> {
        self.shown
            .sync_failures
            .acknowledge(file.into().as_raw_fd())
    }

    /// A doorbell that other threads ring to make the current or the next [`run`](Self::run)
    /// return.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Finishes what was accepted, for `limit` at most: for storage that may hang, on which dropping the
    /// loop would wait for ever. Callbacks are refused when they submit again meanwhile.
    ///
    /// What the device has not answered by then is given up: the callbacks are called with an error of
    /// kind `BrokenPipe`, and what the kernel may still use (buffers, the queue) is leaked, never freed.
    /// With io_uring the kernel may not let the thread that ran the loop end before the device answers.
    ///
    /// # Errors
    /// [`ShutdownError::StillInFlight`] says how many events were given up.
    ///
    /// ```
    /// # use io_engine::{Driver, EventLoop};
    /// let engine = EventLoop::<()>::new(8, Driver::Auto)?;
    /// engine.shutdown_timeout(std::time::Duration::from_secs(10)).expect("nothing is inside");
    /// # Ok::<(), io_engine::StartError>(())
    /// ```
    pub fn shutdown_timeout(mut self, limit: Duration) -> Result<(), ShutdownError> {
        self.local.close();
        let began = Instant::now();
        while self.in_flight() > 0 && began.elapsed() < limit {
            let deadline = began.checked_add(limit);
            let wait = deadline.map_or(Wait::For(1), Wait::Until);
            if self.run(wait).is_err() {
                break;
            }
        }
        match self.give_up() {
            0 => Ok(()),
            events => Err(ShutdownError::StillInFlight(events)),
        }
    }

    /// How many requests have to be answered, at the least, for so many callbacks: one may bring many.
    fn requests_for(&mut self, callbacks: usize) -> usize {
        let more_than_requests = self.admitted.saturating_sub(self.cycle.get_mut().inside());
        let requests = callbacks.saturating_sub(more_than_requests);
        requests.max(usize::from(callbacks > 0))
    }

    /// Every event ends with an error, those that the kernel may have without their buffers; says how
    /// many there were.
    fn give_up(&mut self) -> usize {
        while let Some(event) = self.local.pop() {
            self.admit(event);
        }
        let mut given_up = 0;
        // A queue that broke has nothing inside, but the kernel may: to close it would wait for that.
        let mut must_abandon = self.cycle.get_mut().is_broken();
        while must_abandon || self.in_flight() > 0 {
            given_up += self.cycle.get_mut().abandon();
            self.call_finished();
            must_abandon = false;
        }
        given_up
    }

    fn take_local(&mut self) {
        while self.cycle.borrow().has_room()
            && let Some(event) = self.local.pop()
        {
            self.admit(event);
        }
    }

    fn admit(&mut self, event: IOEvent<C>) {
        self.admitted += self.cycle.get_mut().admit(event);
    }

    #[allow(dead_code, reason = "called only where there is merging")]
    pub(crate) fn join_counters(&self) -> Option<&(dyn Any + Send + Sync)> {
        self.shown.join_counters.as_deref()
    }

    /// Says how many callbacks were called.
    fn call_finished(&mut self) -> usize {
        let served = serve(&self.cycle, &self.local, Resubmitted::AdmittedAtOnce);
        self.callback_panics += served.delivered.panics;
        self.admitted += served.admitted;
        self.admitted -= served.delivered.called;
        served.delivered.called
    }
}

impl<C: IOCallback> Drop for EventLoop<C> {
    fn drop(&mut self) {
        self.local.close();
        while self.in_flight() > 0 {
            if let Err(error) = self.run(Wait::For(1))
                && self.in_flight() > 0
                && !self.cycle.borrow().is_broken()
            {
                let given_up = self.give_up();
                tracing::error!(%error, given_up, "an event loop was dropped where it cannot finish");
                return;
            }
        }
    }
}

impl<C: IOCallback> fmt::Debug for EventLoop<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLoop")
            .field("driver", &self.driver())
            .field("depth", &self.depth())
            .field("in_flight", &self.in_flight())
            .finish_non_exhaustive()
    }
}
