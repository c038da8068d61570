//! A queue to the kernel, with threads for what is not for it.

use std::io;
use std::time::{Duration, Instant};

use io_engine_core::{
    Answered, Backend, Completion, Full, IOAction, IOCallback, IOEvent, Request, Ticket, Wait,
    Waker,
};
use io_engine_workers::{BlockingBackend, BlockingSettings, SharedCalls};

use crate::lone_read::LoneRead;
use crate::routes::{Route, Routes};

/// One backend made of several: the queue for what it does best, blocking calls for the rest.
///
/// AIO has no opcode for `fallocate`. io_uring hands transfers of some files to kernel threads; they
/// are better off elsewhere (`routes.rs`).
///
/// The others nudge the queue's doorbell when they have finished something, so there is one place to
/// sleep. Threads are started with the first request that needs them; where none can be started, the
/// queue gets everything.
pub(crate) struct Carried<C: IOCallback, B> {
    queue: B,
    /// The queue's.
    waker: Waker,
    routes: Routes,
    /// For what may block.
    carrier: Option<BlockingBackend<C>>,
    carrier_settings: BlockingSettings,
    carrier_failed: bool,
    /// Why the queue is no more, while the carrier has calls that are still to be waited for.
    cut_off: Option<io::Error>,
    /// For what takes no longer than a copy.
    in_memory: SharedCalls<C>,
    /// For a read that may find its bytes in the page cache.
    lone: LoneRead<C>,
}

/// How long a sleep may be that only the doorbell should end.
const SLEEP_MAX: Duration = Duration::from_secs(3600);

impl<C: IOCallback, B: Backend<C>> Carried<C, B> {
    /// `carrier_settings` are for as many requests as `queue` is for.
    pub(crate) fn new(queue: B, routes: Routes, carrier_settings: BlockingSettings) -> Self {
        Self {
            in_memory: SharedCalls::with_capacity(queue.capacity()),
            waker: queue.waker(),
            queue,
            routes,
            carrier: None,
            carrier_settings,
            carrier_failed: false,
            cut_off: None,
            lone: LoneRead::new(),
        }
    }

    #[allow(dead_code, reason = "for io_uring, which may not be compiled in")]
    pub(crate) fn queue(&self) -> &B {
        &self.queue
    }

    /// As [`new`](Self::new), with a carrier that is busy. Its doorbell is the queue's too.
    #[allow(dead_code, reason = "for AIO, which may not be compiled in")]
    pub(crate) fn going_on_with(self, carrier: Option<BlockingBackend<C>>) -> Self {
        Self { carrier, ..self }
    }

    /// The carrier, if it has calls that outlive the queue.
    #[allow(dead_code, reason = "for io_uring, which may not be compiled in")]
    pub(crate) fn take_busy_carrier(&mut self) -> Option<BlockingBackend<C>> {
        self.carrier.take_if(|carrier| carrier.in_flight() > 0)
    }

    /// Why the queue is no more, while calls are under way elsewhere.
    #[allow(dead_code, reason = "for io_uring, which may not be compiled in")]
    pub(crate) fn cut_off(&self) -> Option<&io::Error> {
        self.cut_off.as_ref()
    }

    /// Requests that are not in the queue.
    fn elsewhere(&self) -> usize {
        self.lone.in_flight() + self.in_memory.in_flight() + self.with_carrier()
    }

    fn with_carrier(&self) -> usize {
        self.carrier.as_ref().map_or(0, Backend::in_flight)
    }

    /// A read that waits to be tried goes to the queue.
    fn end_loneliness(&mut self) {
        if let Some(request) = self.lone.take_back() {
            self.send(request);
        }
    }

    fn send(&mut self, request: Request<C>) {
        let pushed = self.queue.push(request);
        pushed.expect("it has room for as many as there can be in all of them");
    }

    /// Tries a read that is alone, which goes to the queue if it would have to wait.
    #[inline]
    fn attempt_lone_read(&mut self) {
        if let Some(request) = self.lone.attempt() {
            self.send(request);
        }
    }

    fn carrier(&mut self) -> Option<&mut BlockingBackend<C>> {
        if self.carrier.is_none() && !self.carrier_failed {
            match BlockingBackend::with_waker(self.carrier_settings, self.queue.waker()) {
                Ok(carrier) => self.carrier = Some(carrier),
                Err(error) => {
                    tracing::warn!(%error, "no threads for what is not for the queue to the kernel");
                    self.carrier_failed = true;
                }
            }
        }
        self.carrier.as_mut()
    }

    /// Where the queue is not driven, it does not hear its doorbell.
    #[inline]
    fn hear_ring(&self) {
        if self.waker.is_rung() {
            self.waker.hear();
        }
    }

    /// Carries out and takes what can be had without sleeping.
    fn collect(&mut self, done: &mut Vec<Completion<C>>) -> io::Result<()> {
        self.attempt_lone_read();
        self.lone.take_answer(done);
        self.in_memory.finish(done);
        match &mut self.carrier {
            Some(carrier) if carrier.in_flight() > 0 => carrier.drive(Wait::Never, done),
            _ => Ok(()),
        }
    }

    /// Sleeps in the queue. With something elsewhere a count would not do: it may all be there.
    fn sleep(
        &mut self,
        missing: usize,
        deadline: Option<Instant>,
        done: &mut Vec<Completion<C>>,
    ) -> io::Result<()> {
        let wait = match deadline {
            _ if missing == 0 => Wait::Never,
            Some(deadline) => Wait::Until(deadline),
            None if self.elsewhere() == 0 => Wait::For(missing),
            None => Wait::Until(Instant::now() + SLEEP_MAX),
        };
        self.queue.drive(wait, done)
    }

    /// A queue that is broken is the end of all only when no call is under way any more. A call may hang,
    /// so that is left to later drives.
    fn has_failed(&mut self, error: io::Error) -> io::Result<()> {
        let is_broken = self.queue.in_flight() == 0;
        if !is_broken || self.with_carrier() == 0 {
            return Err(error);
        }
        self.cut_off = Some(error);
        Ok(())
    }

    /// The place to sleep is gone with the queue: the carrier is another.
    fn drive_cut_off(&mut self, wait: Wait, done: &mut Vec<Completion<C>>) -> io::Result<()> {
        let before = done.len();
        self.cut_off = None;
        self.collect(done)?;
        // What was pushed meanwhile comes back.
        let driven = self.queue.drive(Wait::Never, done);
        if done.len() == before
            && let Some(carrier) = &mut self.carrier
        {
            carrier.drive(wait, done)?;
        }
        driven.or_else(|error| self.has_failed(error))
    }
}

impl<C: IOCallback, B: Backend<C>> Backend<C> for Carried<C, B> {
    fn capacity(&self) -> usize {
        self.queue.capacity()
    }

    fn in_flight(&self) -> usize {
        self.queue.in_flight() + self.elsewhere()
    }

    #[inline]
    fn push(&mut self, request: Request<C>) -> Result<(), Full<Request<C>>> {
        if self.in_flight() == self.capacity() {
            return Err(Full(request));
        }
        self.end_loneliness();
        match self.routes.of(request.action(), request.fd()) {
            Route::Queue | Route::CacheOrQueue => return self.queue.push(request),
            // The queue knows what to say to what cannot work.
            _ if !request.needs_kernel() => return self.queue.push(request),
            Route::Here => {
                self.in_memory.push(request);
                return Ok(());
            }
            Route::Carrier => {}
        }
        match self.carrier() {
            Some(carrier) => carrier.push(request),
            None => self.queue.push(request),
        }
    }

    #[inline(always)]
    fn push_event(&mut self, event: IOEvent<C>) -> Result<(), Full<IOEvent<C>>> {
        if self.in_flight() == self.capacity() {
            return Err(Full(event));
        }
        let is_read = event.action() == IOAction::Read;
        match self.routes.of(event.action(), event.fd()) {
            Route::CacheOrQueue if is_read && self.in_flight() == 0 && event.is_plain() => {
                if self.lone.is_worth_trying() {
                    self.lone.hold(event);
                    return Ok(());
                }
            }
            Route::Queue | Route::CacheOrQueue => {}
            Route::Here if event.is_plain() => {
                self.end_loneliness();
                self.in_memory.push_event(event);
                return Ok(());
            }
            Route::Here | Route::Carrier => {
                let pushed = self.push(Request::from(event));
                pushed.expect("there is room for one more");
                return Ok(());
            }
        }
        self.end_loneliness();
        self.queue.push_event(event)
    }

    fn drive(&mut self, wait: Wait, done: &mut Vec<Completion<C>>) -> io::Result<()> {
        if self.cut_off.is_some() {
            return self.drive_cut_off(wait, done);
        }
        let before = done.len();
        let (target, deadline) = wait.target(self.in_flight());
        let waker = self.queue.waker();
        let rings_heard = waker.rings_heard();
        self.collect(done)?;
        loop {
            let missing = target.saturating_sub(done.len() - before);
            let driven = self.sleep(missing, deadline, done);
            if let Err(error) = self.collect(done).and(driven) {
                return self.has_failed(error);
            }
            // A nudge is between the two of them, and may be left over from an earlier sleep.
            let rung = waker.rings_heard() != rings_heard;
            let past = deadline.is_some_and(|deadline| Instant::now() >= deadline);
            if done.len() - before >= target || rung || past {
                return Ok(());
            }
        }
    }

    fn waker(&self) -> Waker {
        self.queue.waker()
    }

    fn look_at_each(&self, look: &mut dyn FnMut(Ticket, &Request<C>)) {
        self.queue.look_at_each(look);
        if let Some(carrier) = &self.carrier {
            carrier.look_at_each(look);
        }
    }

    fn abandon(&mut self, done: &mut Vec<Completion<C>>) {
        self.end_loneliness();
        self.lone.take_answer(done);
        self.in_memory.finish(done);
        self.queue.abandon(done);
        if let Some(carrier) = &mut self.carrier {
            carrier.abandon(done);
        }
    }

    fn drive_lazily(&mut self, wait: Wait, done: &mut Vec<Completion<C>>) -> io::Result<()> {
        self.attempt_lone_read();
        if self.elsewhere() == 0 {
            return self.queue.drive_lazily(wait, done);
        }
        let are_alone = self.queue.in_flight() + self.with_carrier() == 0;
        if self.lone.is_answered() || (are_alone && self.in_memory.begin()) {
            self.hear_ring();
            return Ok(());
        }
        self.drive(wait, done)
    }

    #[inline]
    fn next_answer(&mut self) -> Option<Answered<C>> {
        if self.elsewhere() == 0 {
            return self.queue.next_answer();
        }
        let elsewhere = self.lone.next_answer();
        elsewhere
            .or_else(|| self.in_memory.next_answer())
            .or_else(|| self.queue.next_answer())
    }

    #[inline]
    fn take_callback(&mut self, ticket: Ticket) -> Option<C> {
        if self.lone.is_whole(ticket) {
            self.lone.take_callback(ticket)
        } else if self.in_memory.is_whole(ticket) {
            self.in_memory.take_callback(ticket)
        } else {
            self.queue.take_callback(ticket)
        }
    }

    #[inline]
    fn take_whole(&mut self, ticket: Ticket) -> IOEvent<C> {
        if self.lone.is_whole(ticket) {
            self.lone.take_whole(ticket)
        } else if self.in_memory.is_whole(ticket) {
            self.in_memory.take_whole(ticket)
        } else {
            self.queue.take_whole(ticket)
        }
    }
}
