//! The threads behind a blocking backend.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender};
use io_engine_core::{Completion, IOCallback, Request, Waker, block_signals_in_this_thread};

use crate::announcement::Announcement;
use crate::run_queue::RunQueue;
use crate::settings::BlockingSettings;
use crate::shield::shielded;

/// How the threads wake who waits for completions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doorbell {
    /// Our own: knocked at only when the driver has announced its sleep and has enough to do.
    Own,
    /// That of another backend, whose sleep we do not see: rung for every completion. Rings that
    /// come before it wakes cost one write in all.
    Foreign,
}

/// Carries a request out: bytes from 0 on, below 0 a negated errno.
pub(crate) type Call<C> = fn(&mut Request<C>) -> i64;

/// The threads, and the two queues between them and the driver.
///
/// Both queues hold as many as may be in flight, so neither side waits for the other to make room.
pub(crate) struct BlockingThreads<C: IOCallback> {
    shared: Arc<Shared<C>>,
    answers: Receiver<Completion<C>>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared<C: IOCallback> {
    requests: RunQueue<Request<C>>,
    answers: Sender<Completion<C>>,
    sleep: Announcement,
    waker: Waker,
    doorbell: Doorbell,
    call: Call<C>,
}

impl<C: IOCallback> BlockingThreads<C> {
    /// Starts the threads, or none: those that had started before one was refused are joined.
    pub(crate) fn start(
        settings: BlockingSettings,
        waker: Waker,
        doorbell: Doorbell,
        call: Call<C>,
    ) -> io::Result<Self> {
        let (depth, count) = (settings.depth(), settings.thread_count());
        let (tx, rx) = crossbeam_channel::bounded(depth);
        let shared = Shared {
            requests: RunQueue::with_capacity(depth),
            answers: tx,
            sleep: Announcement::new(),
            waker,
            doorbell,
            call,
        };
        let mut threads = Self {
            shared: Arc::new(shared),
            answers: rx,
            threads: Vec::with_capacity(count),
        };
        for index in 0..count {
            let shared = Arc::clone(&threads.shared);
            let thread = thread::Builder::new()
                // The kernel keeps 15 bytes of a name.
                .name(format!("io-block-{index}"))
                .spawn(move || shared.serve())?;
            threads.threads.push(thread);
        }
        Ok(threads)
    }

    /// Hands `requests` over; no more may be with the threads than `depth`.
    pub(crate) fn send(&self, requests: impl Iterator<Item = Request<C>>) {
        self.shared.requests.push_all(requests);
    }

    /// A completion, if there is one.
    pub(crate) fn take(&self) -> Option<Completion<C>> {
        self.answers.try_recv().ok()
    }

    /// The next completion, slept for without the doorbell. One must be under way.
    pub(crate) fn wait(&self) -> Option<Completion<C>> {
        self.answers.recv().ok()
    }

    /// How many completions wait to be taken.
    pub(crate) fn answer_count(&self) -> usize {
        self.answers.len()
    }

    /// Whether the driver may sleep until `wanted` completions wait to be taken. If so, it will be
    /// woken for them.
    pub(crate) fn announce_sleep(&self, wanted: usize) -> bool {
        match self.shared.doorbell {
            Doorbell::Own => self.shared.sleep.announce(wanted, || self.answer_count()),
            // A completion since the last look rings, and the ring is still to be heard.
            Doorbell::Foreign => self.answer_count() < wanted,
        }
    }

    /// The driver is awake.
    pub(crate) fn withdraw_sleep(&self) {
        self.shared.sleep.withdraw();
    }

    /// A look at how many requests no thread has begun yet; 0 once they are being stopped.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn unbegun(&self) -> impl Fn() -> usize + use<C> {
        let shared = Arc::clone(&self.shared);
        move || shared.requests.len()
    }

    fn stop(&mut self) -> VecDeque<Request<C>> {
        let never_begun = self.shared.requests.close_and_take();
        for thread in self.threads.drain(..) {
            // A thread does not panic: the call it makes is shielded.
            let _ = thread.join();
        }
        never_begun
    }
}

impl<C: IOCallback> Drop for BlockingThreads<C> {
    fn drop(&mut self) {
        // Only once no thread is left are requests dropped, on this thread, and what users put
        // into them with them.
        drop(self.stop());
    }
}

impl<C: IOCallback> Shared<C> {
    fn serve(&self) {
        block_signals_in_this_thread();
        while let Some(mut request) = self.requests.next() {
            // The call cannot panic. If it did, the request would still be answered.
            let result = shielded("a blocking call", || (self.call)(&mut request));
            let result = result.unwrap_or(-i64::from(libc::EIO));
            let completion = Completion::from_kernel(request, result);
            // There is a place for each request in flight, and the receiver outlives this thread.
            let _ = self.answers.send(completion);
            match self.doorbell {
                Doorbell::Own if self.sleep.is_reached(|| self.answers.len()) => {
                    self.waker.knock();
                }
                Doorbell::Own => {}
                Doorbell::Foreign => self.waker.nudge(),
            }
        }
    }
}
