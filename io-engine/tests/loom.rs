//! The sleep handshake in every interleaving: `RUSTFLAGS="--cfg loom" cargo test --test loom`.
#![cfg(loom)]

use io_engine_core::sync::{Arc, AtomicUsize, Ordering};
use loom::thread;
use sleep_handshake::SleepHandshake;

#[path = "../src/sleep_handshake.rs"]
mod sleep_handshake;

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
        let saw_the_queue = shared.queued.load(Ordering::Acquire) > 0;
        for sender in sending {
            sender.join().unwrap();
        }
        // Asleep with an event in the queue and nobody ringing would be for ever.
        let rings = shared.rings.load(Ordering::Acquire);
        assert!(saw_the_queue || rings > 0, "a lost wake-up");
        assert!(rings <= 1, "one sleep, one ring");
        shared.handshake.wake_up();
        shared.send();
        assert_eq!(
            shared.rings.load(Ordering::Acquire),
            rings,
            "nobody rings for one awake"
        );
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
