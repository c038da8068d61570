//! The slab under every interleaving: what one thread hands to the kernel is seen by whoever takes the
//! answer, and an answer that belongs to no request is noticed.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p io-engine-core --test loom --release`
//!
//! The kernel is a thread here, and its rings are counters. The slab is behind a lock of std, of which
//! loom knows nothing: it gives the compiler its proof, and orders nothing in the model.
#![cfg(loom)]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard};

use io_engine_core::sync::{Arc, AtomicU64, AtomicUsize, Ordering};
use io_engine_core::{
    Answered, Completion, IOAction, IOCallback, IOEvent, InFlight, Ticket, deliver,
};
use loom::model::Builder;
use loom::thread;

/// A request's memory, written by the kernel or by the caller.
type Memory = Arc<AtomicUsize>;

/// What was in its memory when the callback was called. Outside of the model: it orders nothing.
type Seen = std::sync::Arc<std::sync::atomic::AtomicUsize>;

/// A callback that looks at the memory of its event.
struct Looks {
    memory: Memory,
    seen: Seen,
}

impl IOCallback for Looks {
    fn call(self, _: IOEvent<Self>) {
        let found = self.memory.load(Ordering::Relaxed);
        self.seen.store(found, Ordering::SeqCst);
    }
}

type Slab = Mutex<InFlight<Looks>>;

/// Nobody waits: who has the slab is up to the rings.
fn held(slab: &Slab) -> MutexGuard<'_, InFlight<Looks>> {
    slab.try_lock().expect("one thread at a time")
}

fn check(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

fn insert(slab: &Slab, memory: &Memory, seen: &Seen) -> Ticket {
    let mut event = IOEvent::new_no_buf(-1, IOAction::Allocate, 0, 1);
    event.set_callback(Looks {
        memory: Memory::clone(memory),
        seen: Seen::clone(seen),
    });
    let mut slab = held(slab);
    let inserted = slab.insert_event(event);
    inserted.unwrap_or_else(|_| panic!("there is room")).0
}

/// A ring with room for one. No ticket is 0.
struct Ring(AtomicU64);

impl Ring {
    fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    fn put(&self, ticket: Ticket, order: Ordering) {
        self.0.store(ticket.to_user_data(), order);
    }

    fn take(&self, order: Ordering) -> Ticket {
        loop {
            match self.0.load(order) {
                0 => thread::yield_now(),
                user_data => {
                    // Nobody puts before this has been answered.
                    self.0.store(0, Ordering::Relaxed);
                    return Ticket::from_user_data(user_data);
                }
            }
        }
    }
}

/// A race detector sees nothing of what the kernel orders, and neither does this model: the rings are
/// relaxed. What is left is the slot's own release and acquire.
fn is_seen_where_it_is_answered(take: fn(&Slab, Ticket) -> IOEvent<Looks>) {
    check(move || {
        let shared = Arc::new((Slab::new(InFlight::with_capacity(1)), Ring::new()));
        let seen = Seen::default();
        let submitting = {
            let (shared, seen) = (Arc::clone(&shared), Seen::clone(&seen));
            thread::spawn(move || {
                let (slab, ring) = &*shared;
                let memory = Memory::new(AtomicUsize::new(0));
                memory.store(7, Ordering::Relaxed);
                ring.put(insert(slab, &memory, &seen), Ordering::Relaxed);
            })
        };
        let (slab, ring) = &*shared;
        let ticket = ring.take(Ordering::Relaxed);
        // With rings like these even the ticket may come too early. Then it counts as stale, and the slab
        // would say so; what counts here is that whoever gets past that sees the rest.
        while !held(slab).tickets().contains(&ticket) {
            thread::yield_now();
        }
        deliver(take(slab, ticket)).unwrap();
        assert_eq!(value(&seen), 7, "the callback sees less than was there");
        submitting.join().unwrap();
    });
}

fn value(seen: &Seen) -> usize {
    seen.load(Ordering::SeqCst)
}

/// The event of a request that the kernel has carried out.
fn removed(slab: &Slab, ticket: Ticket) -> IOEvent<Looks> {
    let request = held(slab).remove(ticket);
    let mut finished = Vec::new();
    Completion::from_kernel(request, 0).report(&mut finished);
    finished.remove(0)
}

fn taken_whole(slab: &Slab, ticket: Ticket) -> IOEvent<Looks> {
    let mut slab = held(slab);
    let answered = slab.answer(ticket, 0);
    assert!(matches!(answered, Some(Answered::Whole(whole)) if whole == ticket));
    slab.take_whole(ticket)
}

#[test]
fn a_request_that_is_removed_is_seen_as_it_was_inserted() {
    is_seen_where_it_is_answered(removed);
}

#[test]
fn an_event_that_is_taken_whole_is_seen_as_it_was_inserted() {
    is_seen_where_it_is_answered(taken_whole);
}

/// The kernel writes to the memory of a request between its two rings, while the loop looks at what is in
/// flight. It answers the first of two requests once more than it should, whenever it pleases.
#[test]
fn an_answer_finds_its_own_request_or_none() {
    check(|| {
        let rings = Arc::new([Ring::new(), Ring::new(), Ring::new()]);
        let memories = [(); 2].map(|()| Memory::new(AtomicUsize::new(0)));
        let kernel = {
            let (rings, memories) = (Arc::clone(&rings), memories.clone());
            thread::spawn(move || {
                let [submitted, answered, strays] = &*rings;
                let first = submitted.take(Ordering::Acquire);
                memories[0].store(1, Ordering::Relaxed);
                answered.put(first, Ordering::Release);
                strays.put(first, Ordering::Release);
                let second = submitted.take(Ordering::Acquire);
                memories[1].store(2, Ordering::Relaxed);
                answered.put(second, Ordering::Release);
            })
        };
        let [submitted, answered, strays] = &*rings;
        let slab = Slab::new(InFlight::with_capacity(1));
        for (memory, wanted) in memories.iter().zip(1..) {
            let seen = Seen::default();
            let ticket = insert(&slab, memory, &seen);
            submitted.put(ticket, Ordering::Release);
            held(&slab).look_at_each(&mut |other, _| assert_eq!(other, ticket));
            let answer = answered.take(Ordering::Acquire);
            refuse_what_is_stale(&slab, strays, answer);
            assert_eq!(answer, ticket);
            deliver(removed(&slab, answer)).unwrap();
            assert_eq!(value(&seen), wanted, "what the kernel has written");
            refuse_what_is_stale(&slab, strays, Ticket::DOORBELL);
        }
        assert!(held(&slab).is_empty());
        kernel.join().unwrap();
    });
}

/// If there is a stray answer by now, other than `current`, the slab panics and keeps what it has.
fn refuse_what_is_stale(slab: &Slab, strays: &Ring, current: Ticket) {
    let stray = Ticket::from_user_data(strays.0.load(Ordering::Acquire));
    if stray.to_user_data() == 0 || stray == current {
        return;
    }
    strays.0.store(0, Ordering::Relaxed);
    let mut slab = held(slab);
    let len = slab.len();
    let answered = catch_unwind(AssertUnwindSafe(|| slab.answer(stray, 0)));
    assert!(answered.is_err(), "{stray:?} was answered twice");
    assert_eq!(slab.len(), len);
}
