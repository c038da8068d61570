//! The threads behind a blocking backend.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Receiver, Sender};
use io_engine_core::{FileHandle, Waker, block_signals_in_this_thread};

use crate::announcement::Announcement;
use crate::job::{Answer, Job};
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

/// Carries a job out.
pub(crate) type Call = fn(Job) -> Answer;

/// The threads, and the two queues between them and the driver.
///
/// Both queues hold as many as may be in flight, so neither side waits for the other to make room.
pub(crate) struct BlockingThreads {
    shared: Arc<Shared>,
    answers: Receiver<Answer>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    jobs: RunQueue<Job>,
    answers: Sender<Answer>,
    sleep: Announcement,
    waker: Waker,
    doorbell: Doorbell,
    call: Call,
    /// Kept open until the last thread that was left has ended.
    left_files: Mutex<Vec<FileHandle>>,
}

impl BlockingThreads {
    /// Starts the threads, or none: those that had started before one was refused are joined.
    pub(crate) fn start(
        settings: BlockingSettings,
        waker: Waker,
        doorbell: Doorbell,
        call: Call,
    ) -> io::Result<Self> {
        let (depth, count) = (settings.depth(), settings.thread_count());
        let (tx, rx) = crossbeam_channel::bounded(depth);
        let shared = Shared {
            jobs: RunQueue::with_capacity(depth),
            answers: tx,
            sleep: Announcement::new(),
            waker,
            doorbell,
            call,
            left_files: Mutex::default(),
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

    /// Hands `jobs` over; no more may be with the threads than `depth`.
    pub(crate) fn send(&self, jobs: impl Iterator<Item = Job>) {
        self.shared.jobs.push_all(jobs);
    }

    /// An answer, if there is one.
    pub(crate) fn take(&self) -> Option<Answer> {
        self.answers.try_recv().ok()
    }

    /// The next answer, slept for without the doorbell. One must be under way.
    pub(crate) fn wait(&self) -> Option<Answer> {
        self.answers.recv().ok()
    }

    /// How many answers wait to be taken.
    pub(crate) fn answer_count(&self) -> usize {
        self.answers.len()
    }

    /// Whether the driver may sleep until `wanted` answers wait to be taken. If so, it will be
    /// woken for them.
    pub(crate) fn announce_sleep(&self, wanted: usize) -> bool {
        match self.shared.doorbell {
            Doorbell::Own => self.shared.sleep.announce(wanted, || self.answer_count()),
            // An answer since the last look rings, and the ring is still to be heard.
            Doorbell::Foreign => self.answer_count() < wanted,
        }
    }

    /// The driver is awake.
    pub(crate) fn withdraw_sleep(&self) {
        self.shared.sleep.withdraw();
    }

    /// A look at how many jobs no thread has begun yet; 0 once they are being stopped.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn unbegun(&self) -> impl Fn() -> usize + use<> {
        let shared = Arc::clone(&self.shared);
        move || shared.jobs.len()
    }

    /// Lets the threads go, each when its call returns, and waits for none. Gives back what none of
    /// them has begun.
    pub(crate) fn abandon(&mut self) -> VecDeque<Job> {
        self.threads.clear();
        self.shared.jobs.close_and_take()
    }

    /// Keeps `files` open for the threads that were let go. A thread may have a job and not have made its
    /// call yet, and the kernel makes some calls anew: the number must not mean another file by then.
    pub(crate) fn leave_files<'a>(&self, files: impl Iterator<Item = &'a FileHandle>) {
        let left = self.shared.left_files.lock();
        left.unwrap_or_else(PoisonError::into_inner)
            .extend(files.cloned());
    }
}

impl Drop for BlockingThreads {
    fn drop(&mut self) {
        // What nobody has begun is not carried out any more.
        drop(self.shared.jobs.close_and_take());
        for thread in self.threads.drain(..) {
            // A thread does not panic: the call it makes is shielded.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn serve(&self) {
        block_signals_in_this_thread();
        while let Some(job) = self.jobs.next() {
            // The call cannot panic. If it did, the request would still be answered.
            let answer = shielded("a blocking call", || (self.call)(job));
            let answer = answer.unwrap_or_else(|| job.answered(-i64::from(libc::EIO)));
            // There is a place for each request in flight; an abandoned one needs no answer.
            let _ = self.answers.send(answer);
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
