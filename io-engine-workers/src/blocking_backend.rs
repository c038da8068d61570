//! A backend of blocking calls on threads: the one that works anywhere.

use std::fmt;
use std::io;
use std::time::Instant;

use io_engine_core::{
    AlignmentGate, Backend, Completion, Full, IOCallback, IOEvent, InFlight, InvalidRequest,
    Request, StartError, Ticket, Wait, Waker, readable_until,
};

use crate::blocking_threads::{BlockingThreads, Call, Doorbell};
use crate::job::{Answer, Job};
use crate::settings::BlockingSettings;

/// `pread`, `pwrite`, their vectored forms, `fsync`, `fdatasync` and `fallocate` on a few threads
/// of its own.
///
/// It needs nothing that a sandbox forbids and works on every file that the calls work on. Each
/// thread makes one call at a time; up to the depth, requests wait for a free one. The threads are
/// named `io-block-0` and so on and block all signals, so a write beyond `RLIMIT_FSIZE` is `EFBIG`.
///
/// # Dropping
/// Waits for the calls that are running, and for ever if one of them never returns, as a read of
/// an empty pipe. Requests that no thread has begun are not carried out.
///
/// ```
/// use io_engine_core::{Backend, Buffer, ClosureCb, IOAction, IOEvent, Request, Wait};
/// use io_engine_workers::{BlockingBackend, BlockingSettings};
///
/// let mut backend = BlockingBackend::new(BlockingSettings::with_depth(64))?;
/// let file = std::sync::Arc::new(std::fs::File::open("Cargo.toml")?);
/// let mut event = IOEvent::new(file, Buffer::aligned(4096)?, IOAction::Read, 0);
/// event.set_callback(ClosureCb::new(|event| {
///     assert!(event.get_read_result().unwrap().starts_with(b"[package]"));
/// }));
/// backend.push(Request::from(event)).expect("there is room for 64");
///
/// let mut done = Vec::with_capacity(backend.capacity());
/// backend.drive(Wait::For(1), &mut done)?;
/// for completion in done.drain(..) {
///     completion.finish(); // calls the callback here
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct BlockingBackend<C: IOCallback> {
    /// Above the slots, so that no thread is left when those are dropped.
    threads: BlockingThreads,
    slots: InFlight<C>,
    waker: Waker,
    /// In their slots, and not with the threads yet.
    pushed: Vec<Ticket>,
    /// Empty between two calls of `drive`; kept for its memory.
    checked: Vec<Job>,
    with_threads: usize,
    gate: AlignmentGate,
    is_abandoned: bool,
}

impl<C: IOCallback> BlockingBackend<C> {
    /// Starts the threads.
    ///
    /// # Errors
    /// [`StartError`] for a depth or a number of threads out of range, or if the system refuses a
    /// thread or the `eventfd(2)` of the doorbell. Nothing is left running then.
    pub fn new(settings: BlockingSettings) -> Result<Self, StartError> {
        settings.check()?;
        let waker = Waker::new().map_err(|cause| {
            StartError::new(
                "no doorbell for the blocking backend: eventfd failed",
                cause,
                "raise RLIMIT_NOFILE (ulimit -n)",
            )
        })?;
        Self::taking_over(settings, waker)
    }

    /// As [`new`](Self::new), with the doorbell of a backend that is gone: whoever rings it reaches this
    /// one.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn taking_over(settings: BlockingSettings, waker: Waker) -> Result<Self, StartError> {
        settings.check()?;
        Self::start(settings, waker, Doorbell::Own, Job::make)
    }

    /// Starts the threads, with the doorbell of *another* backend, for a driver that sleeps there:
    /// the way to give a kernel interface the operations that it lacks.
    ///
    /// Every completion nudges `waker`, so the other backend's `drive` returns. After each of its
    /// returns, drive this one with [`Wait::Never`]: it sends what was pushed here and takes what
    /// has finished. What finishes later nudges again, so no completion is slept over:
    ///
    /// ```
    /// use io_engine_core::{Backend, IOAction, IOEvent, Request, Wait};
    /// use io_engine_workers::{BlockingBackend, BlockingSettings};
    ///
    /// # let other = BlockingBackend::<()>::new(BlockingSettings::with_depth(1))?;
    /// # let mut main: Box<dyn Backend<()>> = Box::new(other);
    /// let settings = BlockingSettings::with_depth(8).threads(1);
    /// let mut side = BlockingBackend::with_waker(settings, main.waker())?;
    ///
    /// let file = std::sync::Arc::new(std::fs::File::open("Cargo.toml")?);
    /// side.push(Request::from(IOEvent::sync(file))).expect("there is room");
    /// let mut done = Vec::new();
    /// side.drive(Wait::Never, &mut done)?;
    /// while done.is_empty() {
    ///     let soon = std::time::Instant::now() + std::time::Duration::from_secs(10);
    ///     main.drive(Wait::Until(soon), &mut done)?; // sleeps for both
    ///     side.drive(Wait::Never, &mut done)?;
    /// }
    /// # done.pop().map(|completion| completion.finish());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// A `drive` of this one that sleeps is possible while nobody drives the other. It returns at
    /// the first completion, whatever number was asked for, because that is a nudge.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_waker(settings: BlockingSettings, waker: Waker) -> Result<Self, StartError> {
        settings.check()?;
        Self::start(settings, waker, Doorbell::Foreign, Job::make)
    }

    fn start(
        settings: BlockingSettings,
        waker: Waker,
        doorbell: Doorbell,
        call: Call,
    ) -> Result<Self, StartError> {
        let (depth, count) = (settings.depth(), settings.thread_count());
        let threads = BlockingThreads::start(settings, waker.clone(), doorbell, call);
        let threads = threads.map_err(|cause| {
            StartError::new(
                "the system refused a thread to the blocking backend",
                cause,
                format!(
                    "{count} were asked for: raise RLIMIT_NPROC (ulimit -u) or the pids.max of the control group, or ask for fewer"
                ),
            )
        })?;
        Ok(Self {
            threads,
            slots: InFlight::with_capacity(depth),
            waker,
            pushed: Vec::with_capacity(depth),
            checked: Vec::with_capacity(depth),
            with_threads: 0,
            gate: AlignmentGate::default(),
            is_abandoned: false,
        })
    }

    /// Sends what was pushed. What cannot work is answered here.
    fn send(&mut self, done: &mut Vec<Completion<C>>) {
        for ticket in self.pushed.drain(..) {
            let request = self.slots.get_mut(ticket);
            if let Err(invalid) = refuse(&mut self.gate, request) {
                done.push(Completion::invalid(self.slots.remove(ticket), invalid));
            } else if request.is_complete() {
                done.push(Completion::complete(self.slots.remove(ticket)));
            } else {
                self.checked.push(Job::of(&mut self.slots, ticket));
            }
        }
        if !self.checked.is_empty() {
            self.with_threads += self.checked.len();
            self.threads.send(self.checked.drain(..));
        }
    }

    fn collect(&mut self, done: &mut Vec<Completion<C>>) {
        while self.with_threads > 0
            && let Some(answer) = self.threads.take()
        {
            self.has_answered(answer, done);
        }
    }

    fn has_answered(&mut self, answer: Answer, done: &mut Vec<Completion<C>>) {
        self.with_threads -= 1;
        self.slots.complete(answer.ticket, answer.result, done);
    }

    /// Appends what no thread has begun, with an error, to `done`.
    fn give_up_unsent(
        &mut self,
        tickets: impl Iterator<Item = Ticket>,
        done: &mut Vec<Completion<C>>,
    ) {
        let requests = tickets.map(|ticket| self.slots.remove(ticket));
        done.extend(requests.map(Completion::given_up_unsent));
    }

    /// Takes back everything, without the doorbell.
    fn collect_all(&mut self, done: &mut Vec<Completion<C>>) {
        while self.with_threads > 0
            && let Some(answer) = self.threads.wait()
        {
            self.has_answered(answer, done);
        }
    }

    /// Sleeps until `wanted` completions can be taken, the doorbell rings or `deadline` comes. May
    /// wake for nothing.
    fn sleep(&mut self, wanted: usize, deadline: Option<Instant>) -> io::Result<Woken> {
        if self.with_threads > 0 && !self.threads.announce_sleep(wanted) {
            return Ok(Woken::Completions);
        }
        let readable = readable_until(&self.waker, deadline);
        self.threads.withdraw_sleep();
        if !readable? {
            return Ok(Woken::Deadline);
        }
        Ok(match self.waker.hear() {
            true => Woken::Ring,
            false => Woken::Completions,
        })
    }
}

/// Why a sleep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Woken {
    Completions,
    Ring,
    Deadline,
}

impl<C: IOCallback> Backend<C> for BlockingBackend<C> {
    fn capacity(&self) -> usize {
        self.slots.capacity()
    }

    fn in_flight(&self) -> usize {
        self.slots.len()
    }

    fn push(&mut self, request: Request<C>) -> Result<(), Full<Request<C>>> {
        let (ticket, _) = self.slots.insert(request)?;
        self.pushed.push(ticket);
        Ok(())
    }

    fn push_event(&mut self, event: IOEvent<C>) -> Result<(), Full<IOEvent<C>>> {
        let (ticket, _) = self.slots.insert_event(event)?;
        self.pushed.push(ticket);
        Ok(())
    }

    fn drive(&mut self, wait: Wait, done: &mut Vec<Completion<C>>) -> io::Result<()> {
        if self.is_abandoned {
            let pushed = std::mem::take(&mut self.pushed);
            let requests = pushed.into_iter().map(|ticket| self.slots.remove(ticket));
            done.extend(requests.map(Completion::queue_broken_unsent));
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let before = done.len();
        let (target, deadline) = wait.target(self.in_flight());
        self.send(done);
        loop {
            self.collect(done);
            let got = done.len() - before;
            if got >= target {
                return Ok(());
            }
            match self.sleep(target - got, deadline) {
                Ok(Woken::Completions) => {}
                Ok(Woken::Ring | Woken::Deadline) => {
                    self.collect(done);
                    return Ok(());
                }
                Err(error) => {
                    self.collect_all(done);
                    return Err(error);
                }
            }
        }
    }

    fn waker(&self) -> Waker {
        self.waker.clone()
    }

    fn abandon(&mut self, done: &mut Vec<Completion<C>>) {
        self.is_abandoned = true;
        self.collect(done);
        let pushed = std::mem::take(&mut self.pushed).into_iter();
        let unbegun = self.threads.abandon().into_iter().map(|job| job.ticket);
        self.give_up_unsent(pushed.chain(unbegun), done);
        // The threads go on with what they have begun, so its memory and its files are left to them.
        for ticket in self.slots.tickets() {
            let request = self.slots.remove(ticket);
            self.threads.leave_files(request.files());
            done.push(Completion::given_up(request));
        }
        self.with_threads = 0;
    }

    fn look_at_each(&self, look: &mut dyn FnMut(Ticket, &Request<C>)) {
        self.slots.look_at_each(look);
    }
}

fn refuse<C: IOCallback>(
    gate: &mut AlignmentGate,
    request: &mut Request<C>,
) -> Result<(), InvalidRequest> {
    request.check()?;
    gate.check(request)
}

impl<C: IOCallback> fmt::Debug for BlockingBackend<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockingBackend")
            .field("capacity", &self.capacity())
            .field("in_flight", &self.in_flight())
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
#[path = "blocking_backend_tests.rs"]
mod tests;

#[cfg(all(test, not(loom)))]
#[path = "blocking_backend_signal_tests.rs"]
mod signal_tests;
