//! Closing a queue so that nothing stays inside, however close the race.
//!
//! The closing side empties the queue, *seals* it, and empties it once more. A sender enqueues
//! first and looks at the seal after that. Each side writes before it reads, with a sequentially
//! consistent fence in between: what was enqueued before the seal is found by the closing side, and
//! after it the sender finds the seal and takes its event out itself.

use io_engine_core::sync::{AtomicBool, Ordering, fence};

/// The flag between one closing side and any number of senders.
#[derive(Debug)]
pub(crate) struct Seal {
    sealed: AtomicBool,
}

impl Seal {
    pub(crate) fn new() -> Self {
        Self {
            sealed: AtomicBool::new(false),
        }
    }

    /// The closing side: `take_all` empties the queue.
    pub(crate) fn close(&self, mut take_all: impl FnMut()) {
        take_all();
        self.sealed.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        take_all();
    }

    /// A sender's side, after it has enqueued and a sequentially consistent fence has followed, as
    /// in [`must_ring`](crate::sleep_handshake::SleepHandshake::must_ring): whether nobody but the
    /// sender will take the event out.
    pub(crate) fn is_sealed(&self) -> bool {
        self.sealed.load(Ordering::Relaxed)
    }
}
