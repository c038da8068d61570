//! The threads of a context, from its start to its end.

use std::io;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
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
    /// Told by the loop's thread when its work is done; disconnected without that if it has panicked.
    ended: Receiver<()>,
}

/// How long a loop may take to give up what it has, beyond the deadline: many times what it takes where
/// nothing holds it up.
const GIVING_UP: Duration = Duration::from_millis(500);

impl Running {
    pub(crate) fn start(
        doorbell: Doorbell,
        run: impl FnOnce() + Send + 'static,
    ) -> io::Result<Self> {
        let (tell, ended) = bounded(1);
        let thread = engine_thread::spawn("io-engine-loop", move || {
            run();
            // Nobody may be there to hear it.
            let _ = tell.send(());
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
    /// does not wait: the threads may wait for this very callback, or for the worker that runs it. Nor does
    /// the loop's own thread, which may have been left with the context by a callback of its own.
    pub(crate) fn close(self) -> Result<(), ShutdownError> {
        self.ask();
        if callback_scope::is_inside_callback() || self.is_own_thread() {
            return Ok(());
        }
        self.join()
    }

    /// As [`close`](Self::close), but what is not finished after `limit` is given up.
    pub(crate) fn close_within(self, limit: Duration) -> Result<(), ShutdownError> {
        self.ask();
        if callback_scope::is_inside_callback()
            || self.is_own_thread()
            || self.ended.recv_timeout(limit) != Err(RecvTimeoutError::Timeout)
        {
            return self.close();
        }
        self.doorbell.give_up();
        match self.ended.recv_timeout(GIVING_UP) {
            Ok(()) => {}
            Err(RecvTimeoutError::Timeout) => return Err(ShutdownError::HeldUp),
            Err(RecvTimeoutError::Disconnected) => return Err(ShutdownError::Panicked),
        }
        match self.doorbell.given_up() {
            0 => self.join(),
            // The thread is not waited for. It has nothing more to do, but the kernel does not let it go
            // while it carries out requests of its ring on threads of its own (io-wq).
            events => Err(ShutdownError::StillInFlight(events)),
        }
    }

    fn is_own_thread(&self) -> bool {
        self.thread.thread().id() == thread::current().id()
    }

    fn ask(&self) {
        match &self.forwarder {
            Some(forwarder) => forwarder.stop(),
            None => self.doorbell.close(),
        }
    }

    fn join(self) -> Result<(), ShutdownError> {
        let forwarder = self.forwarder.map(ForwarderHandle::into_thread);
        let forwarded = forwarder.map_or(Ok(()), JoinHandle::join);
        // A forwarder has closed the loop at its end, unless it has panicked.
        self.doorbell.close();
        let looped = self.thread.join();
        forwarded.and(looped).map_err(|_| ShutdownError::Panicked)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::time::Instant;

    use super::*;

    /// Holds up the end of its thread until the other end of the channel is dropped.
    struct HoldsUp(Receiver<()>);

    impl Drop for HoldsUp {
        fn drop(&mut self) {
            let _ = self.0.recv();
        }
    }

    thread_local! {
        static AT_THE_END: RefCell<Option<HoldsUp>> = const { RefCell::new(None) };
    }

    #[test]
    fn a_thread_that_the_kernel_does_not_let_go_is_not_waited_for() {
        let (release, held) = bounded(0);
        let doorbell = Doorbell::new();
        let of_loop = doorbell.clone();
        let running = Running::start(doorbell, move || {
            AT_THE_END.set(Some(HoldsUp(held)));
            while !of_loop.is_giving_up() {
                thread::yield_now();
            }
            of_loop.count_given_up(3);
        });
        let (tell, told) = bounded(1);
        thread::spawn(move || {
            let ended = running.unwrap().close_within(Duration::from_millis(10));
            let _ = tell.send(ended);
        });
        let began = Instant::now();
        let ended = told.recv_timeout(Duration::from_secs(10));
        drop(release);
        assert_eq!(ended, Ok(Err(ShutdownError::StillInFlight(3))));
        assert!(began.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn a_loop_that_panics_while_it_gives_up_is_said_to() {
        let doorbell = Doorbell::new();
        let of_loop = doorbell.clone();
        let running = Running::start(doorbell, move || {
            while !of_loop.is_giving_up() {
                thread::yield_now();
            }
            // Without a report, which takes a sanitizer longer than there is time.
            std::panic::resume_unwind(Box::new("as a test"));
        });
        let ended = running.unwrap().close_within(Duration::from_millis(10));
        assert_eq!(ended, Err(ShutdownError::Panicked));
    }
}
