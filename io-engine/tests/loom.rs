//! The sleep handshake and the seal of the channel in every interleaving: `RUSTFLAGS="--cfg loom" cargo test --test loom`.
#![cfg(loom)]

use io_engine_core::sync::{Arc, AtomicUsize, Ordering};
use loom::thread;
use seal::Seal;
use sleep_handshake::SleepHandshake;

#[path = "../src/seal.rs"]
mod seal;
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
    fn new() -> Self {
        Self {
            handshake: SleepHandshake::new(),
            queued: AtomicUsize::new(0),
            rings: AtomicUsize::new(0),
        }
    }

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
        let shared = Arc::new(Model::new());
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

/// What is sent while the channel closes is seen by the loop's last look, or its sender sees the
/// seal. Looks are plain loads: a channel orders no more than that.
#[test]
fn nothing_stays_in_a_sealed_channel() {
    const SENDERS: usize = 2;
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(3);
    model.check(|| {
        let channel = Arc::new((Model::new(), Seal::new(), AtomicUsize::new(0)));
        let sending: Vec<_> = (0..SENDERS)
            .map(|_| {
                let channel = Arc::clone(&channel);
                thread::spawn(move || {
                    let (model, seal, taken_back) = &*channel;
                    model.send();
                    if seal.is_sealed() {
                        taken_back.fetch_add(1, Ordering::Release);
                    }
                })
            })
            .collect();
        let (model, seal, taken_back) = &*channel;
        let mut seen = 0;
        seal.close(|| seen = model.queued.load(Ordering::Acquire));
        for sender in sending {
            sender.join().unwrap();
        }
        let taken_back = taken_back.load(Ordering::Acquire);
        assert!(seen + taken_back >= SENDERS, "an event stayed inside");
    });
}
