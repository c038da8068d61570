//! How long a drive sleeps, and what ends it.

mod harness;

use std::fs;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use harness::*;
use io_engine_aio::{Backend, Buffer, IOAction, IOEvent, Wait};

/// Longer than any test may take: who sleeps this long was not woken.
fn never() -> Wait {
    Wait::Until(Instant::now() + 10 * DEADLINE)
}

/// Where the kernel tells the state of the calling thread.
fn own_stat() -> PathBuf {
    let thread = fs::read_link("/proc/thread-self").expect("procfs");
    PathBuf::from("/proc").join(thread).join("stat")
}

fn is_asleep(stat: &PathBuf) -> bool {
    let text = fs::read_to_string(stat).expect("procfs");
    let (_, state) = text.rsplit_once(')').expect("a name in brackets");
    state.trim_start().starts_with('S')
}

#[test]
fn a_ring_before_the_sleep_is_not_lost() {
    within_deadline(|| {
        let mut ring = backend(4);
        let waker = ring.waker();
        for _ in 0..100 {
            thread::scope(|scope| {
                scope.spawn(|| waker.ring());
            });
            ring.drive(never(), &mut Vec::new()).unwrap();
        }
    });
}

#[test]
fn a_ring_during_the_sleep_ends_it() {
    within_deadline(|| {
        let mut ring = backend(4);
        let waker = ring.waker();
        let (tx, rx) = mpsc::channel();
        let sleeper = thread::spawn(move || {
            for _ in 0..100 {
                tx.send(own_stat()).unwrap();
                ring.drive(never(), &mut Vec::new()).unwrap();
            }
        });
        for stat in rx {
            while !is_asleep(&stat) {
                thread::yield_now();
            }
            waker.ring();
        }
        sleeper.join().unwrap();
    });
}

#[test]
fn many_rings_end_one_sleep_and_no_more() {
    within_deadline(|| {
        let mut ring = backend(4);
        let waker = ring.waker();
        for _ in 0..1000 {
            waker.ring();
        }
        ring.drive(never(), &mut Vec::new()).unwrap();
        let start = Instant::now();
        let quiet = Duration::from_millis(50);
        ring.drive(Wait::Until(start + quiet), &mut Vec::new())
            .unwrap();
        assert!(start.elapsed() >= quiet, "woken by a ring that was heard");
    });
}

#[test]
fn a_storm_of_rings_costs_no_request_and_no_completion() {
    within_deadline(|| {
        let scratch = Scratch::with_blocks(32);
        let file = scratch.direct();
        let mut ring = backend(32);
        let waker = ring.waker();
        let (stop, stopped) = mpsc::channel::<()>();
        let ringer = thread::spawn(move || {
            while stopped.try_recv() == Err(mpsc::TryRecvError::Empty) {
                waker.ring();
            }
        });
        for _ in 0..50 {
            (0..32).for_each(|n| push(&mut ring, read_of_block(&file, n)));
            let events = drain(&mut ring);
            assert_eq!(events.len(), 32);
            for (n, event) in events.into_iter().enumerate() {
                assert_is_block(event, n);
            }
        }
        drop(stop);
        ringer.join().unwrap();
    });
}

#[test]
fn a_waker_may_outlive_its_backend() {
    let ring = backend(1);
    let waker = ring.waker();
    drop(ring);
    waker.ring();
}

#[test]
fn with_nothing_in_flight_only_until_sleeps() {
    within_deadline(|| {
        let mut ring = backend(4);
        let mut done = Vec::new();
        ring.drive(Wait::Never, &mut done).unwrap();
        ring.drive(Wait::For(0), &mut done).unwrap();
        ring.drive(Wait::For(3), &mut done).unwrap();
        let start = Instant::now();
        let nap = Duration::from_millis(20);
        ring.drive(Wait::Until(start + nap), &mut done).unwrap();
        assert!(start.elapsed() >= nap);
        assert!(done.is_empty());
    });
}

#[test]
fn a_deadline_that_has_passed_is_no_sleep() {
    within_deadline(|| {
        let mut ring = backend(4);
        let past = Instant::now();
        ring.drive(Wait::Until(past), &mut Vec::new()).unwrap();
    });
}

#[test]
fn for_waits_for_all_in_flight_where_they_are_fewer_than_asked_for() {
    within_deadline(|| {
        let scratch = Scratch::with_blocks(8);
        let file = scratch.direct();
        let mut ring = backend(8);
        let mut done = Vec::new();
        for round in 1..=8 {
            (0..round).for_each(|n| push(&mut ring, read_of_block(&file, n)));
            ring.drive(Wait::For(1000), &mut done).unwrap();
            assert_eq!(events_of(&mut done).len(), round);
        }
    });
}

#[test]
fn for_waits_for_as_many_as_were_asked_for() {
    within_deadline(|| {
        let scratch = Scratch::with_blocks(16);
        let file = scratch.direct();
        let mut ring = backend(16);
        let mut done = Vec::new();
        for wanted in 1..=16 {
            (0..16).for_each(|n| push(&mut ring, read_of_block(&file, n)));
            ring.drive(Wait::For(wanted), &mut done).unwrap();
            assert!(done.len() >= wanted);
            assert_eq!(done.len() + ring.in_flight(), 16);
            drain(&mut ring);
            done.clear();
        }
    });
}

#[test]
fn until_ends_with_the_first_completion() {
    within_deadline(|| {
        let scratch = Scratch::with_blocks(1);
        let mut ring = backend(1);
        push(&mut ring, read_of_block(&scratch.direct(), 0));
        let mut done = Vec::new();
        ring.drive(never(), &mut done).unwrap();
        assert_eq!(done.len(), 1);
    });
}

#[test]
fn completions_that_need_no_kernel_count_for_the_wait() {
    within_deadline(|| {
        let mut ring = backend(4);
        for wait in [Wait::For(2), never()] {
            for _ in 0..2 {
                let buffer = Buffer::aligned(BLOCK).unwrap();
                push(&mut ring, IOEvent::new(0, buffer, IOAction::Read, -1));
            }
            assert_eq!(ring.in_flight(), 2);
            let mut done = Vec::new();
            ring.drive(wait, &mut done).unwrap();
            assert_eq!(done.len(), 2);
            assert_eq!(ring.in_flight(), 0);
        }
    });
}
