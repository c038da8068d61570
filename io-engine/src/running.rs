//! The threads of a context, from its start to its end.

use std::convert::Infallible;
use std::io;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use io_engine_core::IOCallback;

use crate::callback_scope;
use crate::doorbell::Doorbell;
use crate::engine_thread;
use crate::forwarder::{Forwarder, ForwarderHandle};
use crate::shutdown_error::ShutdownError;

/// The loop's thread, and that of the forwarder in front of it if there is one.
pub(crate) struct Running {
    doorbell: Doorbell,
    forwarder: Option<ForwarderHandle>,
    thread: JoinHandle<()>,
    /// Disconnected when the loop's thread has ended.
    ended: Receiver<Infallible>,
}

/// How long a loop may take to give up what it has, beyond the deadline: many times what it takes where
/// nothing holds it up.
const GIVING_UP: Duration = Duration::from_millis(500);

impl Running {
    pub(crate) fn start(
        doorbell: Doorbell,
        run: impl FnOnce() + Send + 'static,
    ) -> io::Result<Self> {
        let (alive, ended): (Sender<Infallible>, _) = bounded(0);
        let thread = engine_thread::spawn("io-engine-loop", move || {
            let _alive = alive;
            run();
        })?;
        Ok(Self {
            doorbell,
            forwarder: None,
            thread,
            ended,
        })
    }

    pub(crate) fn start_forwarder<C: IOCallback>(
        &mut self,
        forwarder: Forwarder<C>,
    ) -> io::Result<()> {
        self.forwarder = Some(forwarder.start()?);
        Ok(())
    }

    /// Refuses new events, and waits until all that was accepted is finished. From inside a callback it
    /// does not wait: the threads may wait for this very callback, or for the worker that runs it.
    pub(crate) fn close(self) -> Result<(), ShutdownError> {
        self.ask();
        if callback_scope::is_inside_callback() {
            return Ok(());
        }
        self.join()
    }

    /// As [`close`](Self::close), but what is not finished after `limit` is given up.
    pub(crate) fn close_within(self, limit: Duration) -> Result<(), ShutdownError> {
        self.ask();
        if callback_scope::is_inside_callback() || self.has_ended_within(limit) {
            return self.close();
        }
        self.doorbell.give_up();
        if !self.has_ended_within(GIVING_UP) {
            return Err(ShutdownError::HeldUp);
        }
        let doorbell = self.doorbell.clone();
        self.join()?;
        match doorbell.given_up() {
            0 => Ok(()),
            events => Err(ShutdownError::StillInFlight(events)),
        }
    }

    fn ask(&self) {
        match &self.forwarder {
            Some(forwarder) => forwarder.stop(),
            None => self.doorbell.close(),
        }
    }

    fn has_ended_within(&self, limit: Duration) -> bool {
        self.ended.recv_timeout(limit) == Err(RecvTimeoutError::Disconnected)
    }

    fn join(self) -> Result<(), ShutdownError> {
        let forwarder = self.forwarder.map(ForwarderHandle::into_thread);
        let forwarded = forwarder.map_or(Ok(()), JoinHandle::join);
        // A forwarder closes the loop at its end; without senders it has ended before.
        self.doorbell.close();
        let looped = self.thread.join();
        forwarded.and(looped).map_err(|_| ShutdownError::Panicked)
    }
}
