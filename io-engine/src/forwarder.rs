//! From a plain channel to the engine's own.
//!
//! A loop that sleeps in the kernel cannot hear a plain channel, and a thread that blocks on one
//! cannot be in the kernel. So one small thread does nothing but the former.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError, after, bounded, never, select_biased};
use io_engine_core::{IOCallback, IOEvent, dropped_events};

use crate::channel::{Submitter, refuse_all};
use crate::engine_thread;
use crate::knot::Knot;

/// Moves events from `from` to `to`, on a thread of its own once it is started.
pub(crate) struct Forwarder<C: IOCallback> {
    from: Receiver<IOEvent<C>>,
    to: Submitter<C>,
    /// Taken out of `from` though there was no room in `to`, oldest first.
    relief: VecDeque<IOEvent<C>>,
    knot: Knot,
    started: bool,
}

/// A running forwarder.
#[derive(Debug)]
pub(crate) struct ForwarderHandle {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

/// How long the loop may leave its queue full before the forwarder looks whether it still lives.
const LOOP_IS_BUSY: Duration = Duration::from_millis(100);

/// A plain channel is closed when nothing was sent for this long, or at last after `LINGER_MAX`.
const LINGER: Duration = Duration::from_micros(200);
const LINGER_MAX: Duration = Duration::from_millis(10);

/// More threads than are likely to be on their way into one channel.
const SENDERS_MAX: usize = 1024;

/// How long senders to a full channel spin before they are parked, many times over.
const PARKING: Duration = Duration::from_millis(5);

enum Step {
    Forwarded,
    Ended,
    Stopped,
}

impl<C: IOCallback> Forwarder<C> {
    pub(crate) fn new(from: Receiver<IOEvent<C>>, to: Submitter<C>) -> Self {
        Self {
            from,
            to,
            relief: VecDeque::new(),
            knot: Knot::new(),
            started: false,
        }
    }

    pub(crate) fn start(self) -> io::Result<ForwarderHandle> {
        let (stop, stopped) = bounded(1);
        let thread = engine_thread::spawn("io-engine-fwd", move || self.run(&stopped))?;
        Ok(ForwarderHandle { stop, thread })
    }

    fn run(mut self, stopped: &Receiver<()>) {
        self.started = true;
        loop {
            match self.step(stopped) {
                Step::Forwarded => {}
                Step::Ended => return self.end(stopped),
                Step::Stopped => return self.close(),
            }
        }
    }

    fn step(&mut self, stopped: &Receiver<()>) -> Step {
        if !stopped.is_empty() {
            return Step::Stopped;
        }
        if let Some(event) = self.relief.pop_front() {
            return self.forward(event, stopped);
        }
        match self.from.try_recv() {
            Ok(event) => return self.forward(event, stopped),
            Err(TryRecvError::Disconnected) => return Step::Ended,
            Err(TryRecvError::Empty) => {}
        }
        select_biased! {
            recv(stopped) -> _ => Step::Stopped,
            recv(self.from) -> received => match received {
                Ok(event) => self.forward(event, stopped),
                Err(_) => Step::Ended,
            }
        }
    }

    fn forward(&mut self, mut event: IOEvent<C>, stopped: &Receiver<()>) -> Step {
        while let Err(refused) = self.to.forward_within(event, self.next_look()) {
            event = refused;
            if !stopped.is_empty() {
                self.relief.push_front(event);
                return Step::Stopped;
            }
            self.untie();
        }
        let is_over = self.relief.is_empty();
        self.knot.has_moved(self.to.doorbell().callbacks(), is_over);
        Step::Forwarded
    }

    fn next_look(&self) -> Duration {
        self.knot.next_look(self.relief.len())
    }

    /// Takes an event out of `from` where callbacks may wait for room in it.
    fn untie(&mut self) {
        let callbacks = self.to.doorbell().callbacks();
        if self.knot.is_tied(callbacks, self.relief.len())
            && self.from.is_full()
            && let Ok(relieved) = self.from.try_recv()
        {
            self.relief.push_back(relieved);
            self.knot.has_taken();
        }
    }

    /// All senders are gone, and there is nothing left to forward. The loop ends early; but callbacks may
    /// keep it going, until it is asked to close, and nobody else hears that.
    fn end(self, stopped: &Receiver<()>) {
        let loop_of_callbacks = self.to.doorbell().clone();
        drop(self);
        if stopped.recv().is_ok() {
            loop_of_callbacks.close();
        }
    }

    /// Refuses senders from now on, forwards what had been accepted, and lets the loop close.
    fn close(mut self) {
        let relief = std::mem::take(&mut self.relief);
        let from = std::mem::replace(&mut self.from, never());
        for event in relief.into_iter().chain(close_plain_channel(from)) {
            self.hand_over(event);
        }
        self.to.doorbell().close();
    }

    fn hand_over(&self, mut event: IOEvent<C>) {
        while let Err(refused) = self.to.forward_within(event, LOOP_IS_BUSY) {
            event = refused;
        }
    }
}

/// Where a thread of the context could not be started, what had been sent still gets its callback.
impl<C: IOCallback> Drop for Forwarder<C> {
    fn drop(&mut self) {
        if !self.started {
            let from = std::mem::replace(&mut self.from, never());
            refuse_all(close_plain_channel(from));
        }
    }
}

/// Drops the receiver, so that senders are refused, and returns what is inside.
///
/// A bounded crossbeam channel gives nobody a way to take out what is sent between the last look
/// and the drop: such an event stays in the channel and is dropped with the last sender. So the
/// receiver waits for a moment without a sender. Where there is none, it lets the channel fill up,
/// until every sender is parked and has to be woken first, and is faster than they are. (An
/// unbounded channel drops what is inside right here, where it is caught; the engine's own channel
/// has no such instant at all.)
pub(crate) fn close_plain_channel<C: IOCallback>(from: Receiver<IOEvent<C>>) -> Vec<IOEvent<C>> {
    let mut accepted: Vec<_> = from.try_iter().take(from.len()).collect();
    let last_look = Instant::now() + LINGER_MAX;
    while let Ok(event) = from.recv_timeout(LINGER) {
        accepted.push(event);
        if Instant::now() >= last_look {
            let _ = after(PARKING).recv();
            break;
        }
    }
    // Each event that is taken wakes a parked sender, so there is no time to lose, and none to
    // allocate in.
    let at_most = 4 * from.len() + SENDERS_MAX;
    accepted.reserve(at_most);
    accepted.extend(from.try_iter().take(at_most));
    accepted.extend(dropped_events(|| drop(from)));
    accepted
}

impl ForwarderHandle {
    /// Asks the forwarder to close its channel and then the loop.
    pub(crate) fn stop(&self) {
        // It takes one; a second says nothing new.
        let _ = self.stop.try_send(());
    }

    pub(crate) fn into_thread(self) -> JoinHandle<()> {
        self.thread
    }
}

impl<C: IOCallback> fmt::Debug for Forwarder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forwarder")
            .field("relief", &self.relief.len())
            .finish_non_exhaustive()
    }
}
