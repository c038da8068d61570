//! `drive` sleeps as it was told, neither longer nor shorter.
//!
//! Shorter is measured exactly. Longer is bounded loosely, as the machine may be busy: what would
//! be a wait for something that never comes is a hang, and the deadline of the case finds it.

use std::time::{Duration, Instant};

use super::bench::Bench;
use super::capacity::drive_until_empty;
use super::probe::Probe;
use super::scratch::offset_of;
use crate::action::IOAction;
use crate::backend::{Backend, Wait};
use crate::completion::Completion;
use crate::event::IOEvent;

/// Long enough to be told from not sleeping at all, short enough for a test.
pub(super) const A_MOMENT: Duration = Duration::from_millis(50);

/// Never reached: who sleeps this long has missed what should have woken him.
pub(super) const FAR_AWAY: Duration = Duration::from_secs(60);

/// Reached on the busiest machine by whoever was woken.
pub(super) const SOON: Duration = Duration::from_secs(30);

/// With nothing in flight there is nothing to wait for.
pub fn waiting_for_completions_with_nothing_in_flight_returns_at_once<B: Backend<Probe>>(
    bench: &Bench<B>,
) {
    let mut backend = bench.backend(4);
    let mut done = Vec::new();
    for wait in [Wait::Never, Wait::For(0), Wait::For(1), Wait::For(1000)] {
        backend.drive(wait, &mut done).expect("driven");
        assert!(done.is_empty(), "{wait:?}");
    }
}

/// `Never` sends what was pushed and takes what has finished; called again and again it gets all.
pub fn never_waiting_still_gets_everything_done<B: Backend<Probe>>(bench: &Bench<B>) {
    let block = bench.fit(512);
    let scratch = bench.file(&[]);
    let mut backend = bench.backend(8);
    push_writes(bench, &mut backend, &scratch, 8);
    let mut done = Vec::new();
    let deadline = Instant::now() + FAR_AWAY;
    while backend.in_flight() > 0 {
        assert!(Instant::now() < deadline, "{} inside", backend.in_flight());
        let before = done.len() + backend.in_flight();
        backend.drive(Wait::Never, &mut done).expect("driven");
        assert_eq!(done.len() + backend.in_flight(), before, "none is lost");
        std::thread::yield_now();
    }
    finish_all(bench, done, 8);
    scratch.assert_content(&vec![3; 8 * block]);
}

/// `For(n)` returns with at least `n` completions, if nobody rings.
pub fn waiting_for_some_brings_at_least_as_many<B: Backend<Probe>>(bench: &Bench<B>) {
    let scratch = bench.file(&[]);
    for count in [1, 5, 8] {
        let mut backend = bench.backend(8);
        push_writes(bench, &mut backend, &scratch, 8);
        let mut done = Vec::new();
        backend.drive(Wait::For(count), &mut done).expect("driven");
        assert!(done.len() >= count, "{} of {count}", done.len());
        assert_eq!(backend.in_flight(), 8 - done.len());
        drive_until_empty(&mut backend, &mut done);
        finish_all(bench, done, 8);
    }
}

/// `For(n)` with fewer in flight waits for all of them and no longer.
pub fn waiting_for_more_than_there_are_brings_all<B: Backend<Probe>>(bench: &Bench<B>) {
    let scratch = bench.file(&[]);
    let mut backend = bench.backend(8);
    push_writes(bench, &mut backend, &scratch, 3);
    let mut done = Vec::new();
    backend.drive(Wait::For(100), &mut done).expect("driven");
    assert_eq!((done.len(), backend.in_flight()), (3, 0));
    finish_all(bench, done, 3);
}

/// What had finished before counts too: completions are appended, none is waited for twice.
pub fn done_is_appended_to_and_never_cleared<B: Backend<Probe>>(bench: &Bench<B>) {
    let scratch = bench.file(&[]);
    let mut backend = bench.backend(2);
    let mut done = Vec::new();
    for round in 1..=3 {
        push_writes(bench, &mut backend, &scratch, 1);
        backend.drive(Wait::For(1), &mut done).expect("driven");
        assert_eq!(done.len(), round);
    }
    finish_all(bench, done, 3);
}

/// `Until` with nothing in flight sleeps to its deadline, as nobody rings, and returns then.
pub fn an_idle_wait_ends_at_its_deadline<B: Backend<Probe>>(bench: &Bench<B>) {
    let mut backend = bench.backend(4);
    let mut done = Vec::new();
    let began = Instant::now();
    let until = began + A_MOMENT;
    backend
        .drive(Wait::Until(until), &mut done)
        .expect("driven");
    assert!(Instant::now() >= until, "woke after {:?}", began.elapsed());
    assert!(began.elapsed() < SOON, "slept {:?}", began.elapsed());
    assert!(done.is_empty());
}

/// A deadline in the past is as good as `Never`.
pub fn a_deadline_that_has_passed_returns_at_once<B: Backend<Probe>>(bench: &Bench<B>) {
    let scratch = bench.file(&[]);
    let mut backend = bench.backend(4);
    let mut done = Vec::new();
    let past = Instant::now();
    for _ in 0..100 {
        backend.drive(Wait::Until(past), &mut done).expect("driven");
    }
    push_writes(bench, &mut backend, &scratch, 2);
    let deadline = Instant::now() + FAR_AWAY;
    while backend.in_flight() > 0 {
        assert!(Instant::now() < deadline, "{} inside", backend.in_flight());
        backend.drive(Wait::Until(past), &mut done).expect("driven");
        std::thread::yield_now();
    }
    finish_all(bench, done, 2);
}

/// `Until` ends with the first completion, long before a deadline that is far away.
pub fn a_completion_ends_a_wait_before_its_deadline<B: Backend<Probe>>(bench: &Bench<B>) {
    let scratch = bench.file(&[]);
    let mut backend = bench.backend(4);
    push_writes(bench, &mut backend, &scratch, 4);
    let mut done = Vec::new();
    let mut woken = 0;
    while backend.in_flight() > 0 {
        let began = Instant::now();
        let until = Wait::Until(began + FAR_AWAY);
        backend.drive(until, &mut done).expect("driven");
        assert!(began.elapsed() < SOON, "slept {:?}", began.elapsed());
        woken += 1;
        // A wake may still be under way when its completion has been yielded already: one each.
        assert!(woken <= 2 * 4, "it does not sleep");
    }
    finish_all(bench, done, 4);
}

/// A wait for what was refused before the kernel saw it is no wait for the kernel.
pub fn a_refused_request_ends_every_wait<B: Backend<Probe>>(bench: &Bench<B>) {
    let scratch = bench.file(&[]);
    let far_away = Instant::now() + FAR_AWAY;
    let began = Instant::now();
    for wait in [Wait::Never, Wait::For(1), Wait::Until(far_away)] {
        let mut backend = bench.backend(2);
        let buffer = bench.zeroed(512);
        let mut event = IOEvent::new(scratch.file(), buffer, IOAction::Write, -1);
        bench.log().attach(&mut event);
        backend.push(event.into()).expect("there is room");
        let mut done = Vec::new();
        backend.drive(wait, &mut done).expect("driven");
        if wait == Wait::Never {
            // It may be yielded by the next drive only, where a pool of threads does the work.
            drive_until_empty(&mut backend, &mut done);
        }
        assert_eq!(done.len(), 1, "{wait:?}");
        done.drain(..).for_each(Completion::finish);
    }
    assert!(began.elapsed() < SOON);
}

/// Pushes `count` writes of one block each, one behind the other.
pub(super) fn push_writes<B: Backend<Probe>>(
    bench: &Bench<B>,
    backend: &mut B,
    scratch: &super::Scratch,
    count: usize,
) {
    let block = bench.fit(512);
    for index in 0..count {
        let buffer = bench.buffer(&vec![3; block]);
        let offset = offset_of(index * block);
        let mut event = IOEvent::new(scratch.file(), buffer, IOAction::Write, offset);
        bench.log().attach(&mut event);
        backend.push(event.into()).expect("there is room");
    }
}

/// Calls the callbacks and fails unless `count` events were written.
pub(super) fn finish_all<B: Backend<Probe>>(
    bench: &Bench<B>,
    done: Vec<Completion<Probe>>,
    count: usize,
) {
    done.into_iter().for_each(Completion::finish);
    let events = bench.log().take_all();
    assert_eq!(events.len(), count);
    for event in events.values() {
        event.get_write_result().expect("written");
    }
}
