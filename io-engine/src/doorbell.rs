//! What senders, workers and the context's handle share with the loop: how to wake it, and whether
//! it is closing.

use std::sync::{Arc, OnceLock};

use io_engine_core::Waker;
use io_engine_core::sync::{AtomicBool, AtomicUsize, Ordering};

use crate::callback_watch::CallbackWatch;
use crate::seal::Seal;
use crate::sleep_handshake::SleepHandshake;

/// Wakes one loop, once it runs. Cheap to clone; its identity is that of its channel.
#[derive(Clone, Debug)]
pub(crate) struct Doorbell {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    handshake: SleepHandshake,
    /// Set when a loop begins to serve the channel; before that nobody can be asleep.
    waker: OnceLock<Waker>,
    closing: AtomicBool,
    /// The end does not wait for the device any more.
    giving_up: AtomicBool,
    /// Events that were given up.
    given_up: AtomicUsize,
    seal: Seal,
    callbacks: CallbackWatch,
}

impl Doorbell {
    pub(crate) fn new() -> Self {
        let shared = Shared {
            handshake: SleepHandshake::new(),
            waker: OnceLock::new(),
            closing: AtomicBool::new(false),
            giving_up: AtomicBool::new(false),
            given_up: AtomicUsize::new(0),
            seal: Seal::new(),
            callbacks: CallbackWatch::new(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The loop that serves the channel from now on.
    pub(crate) fn connect(&self, waker: Waker) {
        // A channel has one queue and a queue one loop, so it is never set twice.
        let _ = self.shared.waker.set(waker);
    }

    /// The loop's side of the handshake.
    pub(crate) fn handshake(&self) -> &SleepHandshake {
        &self.shared.handshake
    }

    /// After something was enqueued: rings if the loop sleeps.
    pub(crate) fn announce(&self) {
        if self.shared.handshake.must_ring() {
            self.ring();
        }
    }

    /// Rings in any case.
    pub(crate) fn ring(&self) {
        if let Some(waker) = self.shared.waker.get() {
            waker.ring();
        }
    }

    /// Asks the loop to finish what was accepted and to end.
    pub(crate) fn close(&self) {
        self.shared.closing.store(true, Ordering::Release);
        self.ring();
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.shared.closing.load(Ordering::Acquire)
    }

    /// Asks a loop that is closing to wait for no device any more.
    pub(crate) fn give_up(&self) {
        self.shared.giving_up.store(true, Ordering::Release);
        self.ring();
    }

    pub(crate) fn is_giving_up(&self) -> bool {
        self.shared.giving_up.load(Ordering::Acquire)
    }

    /// The loop has given so many events up; they have an error.
    pub(crate) fn count_given_up(&self, events: usize) {
        self.shared.given_up.fetch_add(events, Ordering::Relaxed);
    }

    pub(crate) fn given_up(&self) -> usize {
        self.shared.given_up.load(Ordering::Relaxed)
    }

    /// How the channel is closed for good.
    pub(crate) fn seal(&self) -> &Seal {
        &self.shared.seal
    }

    /// The callbacks of the context.
    #[inline]
    pub(crate) fn callbacks(&self) -> &CallbackWatch {
        &self.shared.callbacks
    }

    /// Whether both belong to the same channel.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}
