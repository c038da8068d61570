//! A ring is never lost, and never heard twice.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use super::bench::Bench;
use super::probe::Probe;
use super::waiting::{A_MOMENT, FAR_AWAY, SOON, finish_all, push_writes};
use crate::backend::{Backend, Wait};

/// A ring before the sleep makes the next `drive` return.
pub fn a_ring_before_the_sleep_is_not_lost<B: Backend<Probe>>(bench: &Bench<B>) {
    let mut backend = bench.backend(4);
    for _ in 0..10 {
        backend.waker().ring();
        assert!(sleep_until_rung(&mut backend), "the ring was lost");
    }
}

/// A ring from another thread ends the sleep that is going on.
pub fn a_ring_ends_the_sleep_that_is_going_on<B: Backend<Probe>>(bench: &Bench<B>) {
    let mut backend = bench.backend(4);
    let waker = backend.waker();
    // Nobody ever sends: a pause that makes it likely, and no more than that, that the ring comes
    // during the sleep. Whenever it comes, it must be heard.
    let (_nobody, pause) = mpsc::channel::<()>();
    let ringer = thread::spawn(move || {
        let _ = pause.recv_timeout(A_MOMENT);
        waker.ring();
    });
    assert!(sleep_until_rung(&mut backend), "the ring was lost");
    ringer.join().expect("it rang");
}

/// A thousand rings wake once; then the sleep lasts until its deadline again.
pub fn many_rings_are_one_wake<B: Backend<Probe>>(bench: &Bench<B>) {
    let mut backend = bench.backend(4);
    let waker = backend.waker();
    for _ in 0..3 {
        for _ in 0..1000 {
            waker.clone().ring();
        }
        assert!(sleep_until_rung(&mut backend), "the rings were lost");
        let until = Instant::now() + A_MOMENT;
        let mut done = Vec::new();
        backend
            .drive(Wait::Until(until), &mut done)
            .expect("driven");
        assert!(Instant::now() >= until, "one ring was heard twice");
    }
}

/// Two thousand rings, each waited for: the one that comes at the worst moment is heard as well.
pub fn no_ring_is_lost_in_a_race<B: Backend<Probe>>(bench: &Bench<B>) {
    const ROUNDS: usize = 2000;
    let mut backend = bench.backend(4);
    let waker = backend.waker();
    let rung = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (heard, wait_for_heard) = mpsc::sync_channel(1);
        let rung = &rung;
        scope.spawn(move || {
            for _ in 0..ROUNDS {
                rung.fetch_add(1, Ordering::SeqCst);
                waker.ring();
                if wait_for_heard.recv_timeout(FAR_AWAY).is_err() {
                    return;
                }
            }
        });
        for round in 1..=ROUNDS {
            while rung.load(Ordering::SeqCst) < round {
                assert!(sleep_until_rung(&mut backend), "ring {round} was lost");
            }
            heard.send(()).expect("the ringer waits for it");
        }
    });
}

/// A ring while requests are in flight loses none of them.
pub fn a_ring_loses_no_completion<B: Backend<Probe>>(bench: &Bench<B>) {
    let scratch = bench.file(&[]);
    let mut backend = bench.backend(16);
    let waker = backend.waker();
    for _ in 0..50 {
        push_writes(bench, &mut backend, &scratch, 16);
        let mut done = Vec::new();
        while backend.in_flight() > 0 {
            waker.ring();
            backend.drive(Wait::For(16), &mut done).expect("driven");
            assert_eq!(done.len() + backend.in_flight(), 16);
        }
        finish_all(bench, done, 16);
    }
}

/// A completion of its own is no ring: the doorbell of an idle backend is quiet after work.
pub fn completions_leave_no_ring_behind<B: Backend<Probe>>(bench: &Bench<B>) {
    let scratch = bench.file(&[]);
    let mut backend = bench.backend(8);
    push_writes(bench, &mut backend, &scratch, 8);
    let mut done = Vec::new();
    super::capacity::drive_until_empty(&mut backend, &mut done);
    finish_all(bench, done, 8);
    // A wake may still be under way when its completion has been yielded already: at most one for
    // each of the eight. More would be a loop that does not sleep.
    let mut done = Vec::new();
    let sleeps = (0..=8).any(|_| {
        let until = Instant::now() + A_MOMENT;
        backend
            .drive(Wait::Until(until), &mut done)
            .expect("driven");
        Instant::now() >= until
    });
    assert!(sleeps, "it does not sleep");
    assert!(done.is_empty());
}

/// A doorbell may outlive its backend.
pub fn a_doorbell_may_outlive_its_backend<B: Backend<Probe>>(bench: &Bench<B>) {
    let backend = bench.backend(1);
    let waker = backend.waker();
    drop(backend);
    waker.ring();
}

/// Sleeps, and says whether something woke it before a deadline that is far away.
fn sleep_until_rung<B: Backend<Probe>>(backend: &mut B) -> bool {
    let began = Instant::now();
    let mut done = Vec::new();
    let until = Wait::Until(began + FAR_AWAY);
    backend.drive(until, &mut done).expect("driven");
    assert!(done.is_empty(), "nothing was in flight");
    began.elapsed() < SOON
}
