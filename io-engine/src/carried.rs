//! Linux AIO, with threads for the operations that it has no opcode for.

use std::io;
use std::time::{Duration, Instant};

use io_engine_aio::{AioBackend, AioSettings};
use io_engine_core::{Backend, Completion, Full, IOCallback, Request, StartError, Wait, Waker};
use io_engine_workers::{BlockingBackend, BlockingSettings};

/// One queue made of two: AIO for what it can, a blocking backend for the rest.
///
/// The blocking backend nudges AIO's doorbell when it has finished something, so there is one
/// place to sleep. Its threads are started with the first request that needs them; where none can
/// be started, AIO makes the call on the spot.
pub(crate) struct Carried<C: IOCallback> {
    aio: AioBackend<C>,
    carrier: Option<BlockingBackend<C>>,
}

/// `fallocate` is rare and waits for the file system's journal; two threads keep one slow file
/// from holding up another.
const CARRIER_THREADS: usize = 2;

/// How long a sleep may be that only the doorbell should end.
const SLEEP_MAX: Duration = Duration::from_secs(3600);

impl<C: IOCallback> Carried<C> {
    pub(crate) fn new(depth: usize) -> Result<Self, StartError> {
        let aio = AioBackend::new(AioSettings::with_depth(depth))?;
        Ok(Self { aio, carrier: None })
    }

    fn carried(&self) -> usize {
        self.carrier.as_ref().map_or(0, Backend::in_flight)
    }

    fn start_carrier(&mut self) {
        let settings = BlockingSettings::with_depth(self.aio.capacity()).threads(CARRIER_THREADS);
        match BlockingBackend::with_waker(settings, self.aio.waker()) {
            Ok(carrier) => self.carrier = Some(carrier),
            Err(error) => tracing::warn!(%error, "no threads for fallocate, which now blocks"),
        }
    }

    /// Takes what the carrier has finished, without sleeping.
    fn collect(&mut self, done: &mut Vec<Completion<C>>) -> io::Result<()> {
        match &mut self.carrier {
            Some(carrier) if carrier.in_flight() > 0 => carrier.drive(Wait::Never, done),
            _ => Ok(()),
        }
    }

    /// Sleeps in AIO. With something carried a count would not do: it may all be there.
    fn sleep(
        &mut self,
        missing: usize,
        deadline: Option<Instant>,
        done: &mut Vec<Completion<C>>,
    ) -> io::Result<()> {
        let wait = match deadline {
            Some(deadline) => Wait::Until(deadline),
            None if missing == 0 || self.carried() == 0 => Wait::For(missing),
            None => Wait::Until(Instant::now() + SLEEP_MAX),
        };
        let driven = self.aio.drive(wait, done);
        if driven.is_err() {
            // The queue is broken, and with it the place to sleep: the carrier is waited for.
            self.finish_carried(done);
        }
        self.collect(done).and(driven)
    }

    fn finish_carried(&mut self, done: &mut Vec<Completion<C>>) {
        if let Some(carrier) = &mut self.carrier {
            while carrier.in_flight() > 0 && carrier.drive(Wait::For(1), done).is_ok() {}
        }
    }
}

impl<C: IOCallback> Backend<C> for Carried<C> {
    fn capacity(&self) -> usize {
        self.aio.capacity()
    }

    fn in_flight(&self) -> usize {
        self.aio.in_flight() + self.carried()
    }

    fn push(&mut self, request: Request<C>) -> Result<(), Full<Request<C>>> {
        if self.in_flight() == self.capacity() {
            return Err(Full(request));
        }
        if AioBackend::<C>::supports(request.action()) {
            return self.aio.push(request);
        }
        if self.carrier.is_none() {
            self.start_carrier();
        }
        match &mut self.carrier {
            Some(carrier) => carrier.push(request),
            None => self.aio.push(request),
        }
    }

    fn drive(&mut self, wait: Wait, done: &mut Vec<Completion<C>>) -> io::Result<()> {
        let before = done.len();
        let (target, deadline) = match wait {
            Wait::Never => (0, None),
            Wait::For(count) => (count.min(self.in_flight()), None),
            Wait::Until(deadline) => (1, Some(deadline)),
        };
        let waker = self.aio.waker();
        let rings_heard = waker.rings_heard();
        self.collect(done)?;
        loop {
            let missing = target.saturating_sub(done.len() - before);
            self.sleep(missing, deadline.filter(|_| missing > 0), done)?;
            // A nudge is between the two of them, and may be left over from an earlier sleep.
            let rung = waker.rings_heard() != rings_heard;
            let past = deadline.is_some_and(|deadline| Instant::now() >= deadline);
            if done.len() - before >= target || rung || past {
                return Ok(());
            }
        }
    }

    fn waker(&self) -> Waker {
        self.aio.waker()
    }
}
