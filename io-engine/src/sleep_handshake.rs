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

#[cfg(all(test, loom))]
mod tests {
    use io_engine_core::sync::{Arc, AtomicUsize};
    use loom::thread;

    use super::*;

    /// The queue is a counter, the doorbell another: what crossbeam and the eventfd are in life.
    #[derive(Debug)]
    struct Model {
        handshake: SleepHandshake,
        queued: AtomicUsize,
        rings: AtomicUsize,
    }

    impl Model {
        fn send(&self) {
            self.queued.fetch_add(1, Ordering::Release);
            if self.handshake.must_ring() {
                self.rings.fetch_add(1, Ordering::Release);
            }
        }
    }

    fn check(senders: usize) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(move || {
            let shared = Arc::new(Model {
                handshake: SleepHandshake::new(),
                queued: AtomicUsize::new(0),
                rings: AtomicUsize::new(0),
            });
            let sending: Vec<_> = (0..senders)
                .map(|_| {
                    let shared = Arc::clone(&shared);
                    thread::spawn(move || shared.send())
                })
                .collect();

            shared.handshake.announce_sleep();
            let saw_the_queue = shared.queued.load(Ordering::Acquire);
            for sender in sending {
                sender.join().unwrap();
            }
            // Asleep with an event in the queue and nobody ringing would be for ever.
            let rung = shared.rings.load(Ordering::Acquire);
            assert!(saw_the_queue > 0 || rung > 0, "a lost wake-up");
            assert!(rung <= 1, "one sleep, one ring");
        });
    }

    #[test]
    fn an_event_is_seen_or_rung_for() {
        check(1);
    }

    #[test]
    fn two_senders_ring_once() {
        check(2);
    }
}
