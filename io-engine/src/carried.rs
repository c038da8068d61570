//! Linux AIO, with threads for the operations that it has no opcode for.

use std::io;
use std::time::{Duration, Instant};

use io_engine_aio::{AioBackend, AioSettings};
use io_engine_core::{Backend, Completion, Full, IOCallback, Request, StartError, Wait, Waker};
use io_engine_workers::{BlockingBackend, BlockingSettings};

/// One queue made of two: AIO for what it can, a blocking backend for the rest.
///
/// The blocking backend rings AIO's doorbell when it has finished something, so there is one place
/// to sleep. Its threads are started with the first request that needs them.
pub(crate) struct Carried<C: IOCallback> {
    aio: AioBackend<C>,
    carrier: Option<BlockingBackend<C>>,
    /// Requests that wait for a carrier which could not be started; they fail with the next drive.
    stranded: Vec<Request<C>>,
}

/// `fallocate` is rare and waits for the file system's journal; two threads keep one slow file
/// from holding up another.
const CARRIER_THREADS: usize = 2;

/// How long a sleep may be that only the doorbell should end.
const SLEEP_MAX: Duration = Duration::from_secs(3600);

impl<C: IOCallback> Carried<C> {
    pub(crate) fn new(depth: usize) -> Result<Self, StartError> {
        let aio = AioBackend::new(AioSettings::with_depth(depth))?;
        Ok(Self {
            aio,
            carrier: None,
            stranded: Vec::new(),
        })
    }

    fn carried(&self) -> usize {
        self.carrier.as_ref().map_or(0, Backend::in_flight)
    }

    fn carry(&mut self, request: Request<C>) {
        if self.carrier.is_none() {
            let settings =
                BlockingSettings::with_depth(self.aio.capacity()).threads(CARRIER_THREADS);
            match BlockingBackend::with_waker(settings, self.aio.waker()) {
                Ok(carrier) => self.carrier = Some(carrier),
                Err(error) => tracing::error!(%error, "no threads to carry fallocate"),
            }
        }
        match &mut self.carrier {
            Some(carrier) => {
                let pushed = carrier.push(request);
                pushed.expect("both together hold no more than the capacity of each");
            }
            None => self.stranded.push(request),
        }
    }

    /// Takes what the carrier has finished, without sleeping.
    fn collect(&mut self, done: &mut Vec<Completion<C>>) -> io::Result<()> {
        let failed = |request| Completion::from_kernel(request, -i64::from(EAGAIN));
        done.extend(self.stranded.drain(..).map(failed));
        match &mut self.carrier {
            Some(carrier) if carrier.in_flight() > 0 => carrier.drive(Wait::Never, done),
            _ => Ok(()),
        }
    }
}

/// What `pthread_create` says when there are no threads left: asked for again, it may work.
const EAGAIN: i32 = 11;

impl<C: IOCallback> Backend<C> for Carried<C> {
    fn capacity(&self) -> usize {
        self.aio.capacity()
    }

    fn in_flight(&self) -> usize {
        self.aio.in_flight() + self.carried() + self.stranded.len()
    }

    fn push(&mut self, request: Request<C>) -> Result<(), Full<Request<C>>> {
        if self.in_flight() == self.capacity() {
            return Err(Full(request));
        }
        if AioBackend::<C>::supports(request.action()) {
            return self.aio.push(request);
        }
        self.carry(request);
        Ok(())
    }

    fn drive(&mut self, wait: Wait, done: &mut Vec<Completion<C>>) -> io::Result<()> {
        if self.carried() == 0 && self.stranded.is_empty() {
            return self.aio.drive(wait, done);
        }
        let before = done.len();
        let (target, deadline) = match wait {
            Wait::Never => (0, None),
            Wait::For(count) => (count.min(self.in_flight()), None),
            Wait::Until(deadline) => (1, Some(deadline)),
        };
        self.collect(done)?;
        loop {
            if done.len() - before >= target {
                return self.aio.drive(Wait::Never, done);
            }
            // The carrier's end is a ring: `Until` sleeps for it even with nothing in AIO.
            let until = deadline.unwrap_or_else(|| Instant::now() + SLEEP_MAX);
            let asleep_at = done.len();
            self.aio.drive(Wait::Until(until), done)?;
            let answered = done.len() > asleep_at;
            let carried_at = done.len();
            self.collect(done)?;
            let past = deadline.is_some_and(|deadline| Instant::now() >= deadline);
            if past || (!answered && done.len() == carried_at) {
                // The deadline, or somebody else rang.
                return Ok(());
            }
        }
    }

    fn waker(&self) -> Waker {
        self.aio.waker()
    }
}
