//! Who rings whom: a sender rings only a loop that has said it is asleep.
//!
//! The loop *announces* its sleep, looks at its queue once more, and only then sleeps. A sender
//! enqueues first, and looks whether a sleep is announced after that. Each side writes before it
//! reads, with a sequentially consistent fence in between, so at least one of them sees the other:
//! the loop sees the event and does not sleep, or the sender sees the announcement and rings.
//! Under load the loop does not sleep, and nobody rings.

use io_engine_core::sync::{AtomicBool, Ordering, fence};

/// The flag between one loop and any number of senders.
#[derive(Debug)]
pub(crate) struct SleepHandshake {
    asleep: AtomicBool,
}

impl SleepHandshake {
    pub(crate) fn new() -> Self {
        Self {
            asleep: AtomicBool::new(false),
        }
    }

    /// The loop's side: after this it looks at its queue once more before it sleeps.
    pub(crate) fn announce_sleep(&self) {
        self.asleep.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// The loop's side: after its sleep, or instead of it.
    pub(crate) fn wake_up(&self) {
        self.asleep.store(false, Ordering::Relaxed);
    }

    /// A sender's side, after it has enqueued: whether it is the one that has to ring.
    #[must_use]
    pub(crate) fn must_ring(&self) -> bool {
        fence(Ordering::SeqCst);
        self.asleep.load(Ordering::Relaxed) && self.asleep.swap(false, Ordering::Relaxed)
    }
}
