//! The backend: what users see of the queue.

use std::fmt;
use std::io;

use io_engine_core::{
    Backend, Completion, Full, IOAction, IOCallback, Request, StartError, Ticket, Wait, Waker,
    check_depth,
};

use crate::kernel_context::{KernelContext, doorbell_error, first_call_error};
use crate::queue::Queue;
use crate::settings::AioSettings;

/// A [`Backend`] over the native AIO of Linux.
///
/// # What blocks
/// Reads and writes of files open with `O_DIRECT` run in the background. For other files the
/// kernel does the work within `io_submit`, so [`drive`](Backend::drive) blocks until it is done.
/// `fsync` and `fdatasync` run in the background for every file whose file system has them.
/// AIO has no `fallocate`: `drive` carries out the allocating actions itself, one by one, and
/// blocks until each is done. [`supports`](Self::supports) says false for them, so that whoever
/// has a better place for blocking calls can use it.
///
/// # Kernel
/// Linux 4.19 or newer, which [`new`](Self::new) finds out. A file system without an `fsync` of
/// its own answers the two syncs with `EINVAL`, and that is the request's error.
///
/// # Fork
/// A child process has no part in the queue: the kernel keeps it with the address space. A backend
/// that a child inherited is broken from the first `drive` on that enters the kernel, and gives
/// its requests back; a ring of its doorbell is heard by the parent.
///
/// # Signals
/// They cost nothing but the time of their handlers. One is fatal unless it is blocked: a write
/// beyond `RLIMIT_FSIZE` sends `SIGXFSZ` to the thread that drives. With
/// [`block_signals_in_this_thread`](crate::block_signals_in_this_thread) called there before, the
/// write fails with `EFBIG` instead.
///
/// # Example
/// See the [crate](crate).
pub struct AioBackend<C: IOCallback> {
    queue: Queue<C, KernelContext>,
}

impl<C: IOCallback> AioBackend<C> {
    /// A queue to the kernel, with all memory that it needs for itself.
    ///
    /// # Errors
    /// [`StartError`] with the cause and the remedy: a depth out of range, `fs.aio-max-nr` used
    /// up, no file descriptor left for the doorbell, native AIO forbidden by a sandbox or not in
    /// the kernel, or too little memory. Nothing of the attempt is left behind.
    ///
    /// ```
    /// use io_engine_aio::{AioBackend, AioSettings};
    ///
    /// let error = AioBackend::<()>::new(AioSettings::with_depth(0)).unwrap_err();
    /// assert!(error.to_string().contains("depth 0"));
    /// ```
    pub fn new(settings: AioSettings) -> Result<Self, StartError> {
        check_depth(settings.depth)?;
        let waker = Waker::new().map_err(doorbell_error)?;
        Self::taking_over(settings, waker)
    }

    /// As [`new`](Self::new), with the doorbell of a backend that is gone: whoever rings it reaches this
    /// one.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn taking_over(settings: AioSettings, waker: Waker) -> Result<Self, StartError> {
        let depth = check_depth(settings.depth)?;
        let context = KernelContext::open(depth)?;
        let mut queue = Queue::new(context, waker, depth);
        queue
            .try_out()
            .map_err(|(failed, errno)| first_call_error(failed, errno))?;
        Ok(Self { queue })
    }

    /// Whether the kernel's queue takes `action`. False for the allocating ones, which the backend
    /// carries out all the same, with a call that blocks [`drive`](Backend::drive).
    ///
    /// ```
    /// use io_engine_aio::{AioBackend, IOAction};
    ///
    /// assert!(AioBackend::<()>::supports(IOAction::Sync));
    /// assert!(!AioBackend::<()>::supports(IOAction::PunchHole));
    /// ```
    #[must_use]
    pub const fn supports(action: IOAction) -> bool {
        match action {
            IOAction::Read
            | IOAction::Write
            | IOAction::Sync
            | IOAction::DataSync
            | IOAction::Nop => true,
            IOAction::Allocate
            | IOAction::AllocateKeepSize
            | IOAction::PunchHole
            | IOAction::ZeroRange => false,
        }
    }
}

impl<C: IOCallback> Backend<C> for AioBackend<C> {
    fn capacity(&self) -> usize {
        self.queue.capacity()
    }

    fn in_flight(&self) -> usize {
        self.queue.in_flight()
    }

    fn push(&mut self, request: Request<C>) -> Result<(), Full<Request<C>>> {
        self.queue.push(request)
    }

    fn drive(&mut self, wait: Wait, done: &mut Vec<Completion<C>>) -> io::Result<()> {
        self.queue.drive(wait, done)
    }

    fn waker(&self) -> Waker {
        self.queue.waker().clone()
    }

    fn abandon(&mut self, done: &mut Vec<Completion<C>>) {
        self.queue.abandon(done);
    }

    fn look_at_each(&self, look: &mut dyn FnMut(Ticket, &Request<C>)) {
        self.queue.look_at_each(look);
    }
}

impl<C: IOCallback> fmt::Debug for AioBackend<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AioBackend")
            .field("capacity", &self.capacity())
            .field("in_flight", &self.in_flight())
            .finish_non_exhaustive()
    }
}
