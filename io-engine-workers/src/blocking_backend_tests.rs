//! When the blocking backend sleeps and what wakes it, with calls that last as long as a test
//! wants: each is a `read(2)` of a pipe.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]
#![allow(
    unsafe_code,
    reason = "reading a number that may not be open has no safe interface"
)]

#[path = "../tests/deadline/mod.rs"]
pub(super) mod deadline;

use std::io::{PipeWriter, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use io_engine_core::{ClosureCb, IOAction, IOEvent};

use super::*;
use deadline::{DEADLINE, in_time, until};

/// One byte of the request's descriptor, or its error: EBADF at once where it is none.
fn read_a_byte(job: Job) -> Answer {
    let mut byte = 0u8;
    // SAFETY: the kernel writes at most one byte, to a variable of this frame.
    let count = unsafe { libc::read(job.fd, (&raw mut byte).cast(), 1) };
    job.answered(if count < 0 { -9 } else { 0 })
}

pub(super) fn backend<C: IOCallback>(depth: usize, threads: usize) -> BlockingBackend<C> {
    let settings = BlockingSettings::with_depth(depth).threads(threads);
    let waker = Waker::new().unwrap();
    BlockingBackend::start(settings, waker, Doorbell::Own, read_a_byte).unwrap()
}

/// A request that lasts until the writer writes or is dropped.
pub(super) fn lasting<C: IOCallback>() -> (Request<C>, PipeWriter) {
    let (reader, writer) = io::pipe().unwrap();
    let reader = Arc::new(OwnedFd::from(reader));
    (Request::from(IOEvent::sync(reader)), writer)
}

fn prompt<C: IOCallback>() -> Request<C> {
    Request::from(IOEvent::sync(-1))
}

/// Drives once, on a thread with a deadline; gives the backend back and how many completions came.
fn drive(mut backend: BlockingBackend<()>, wait: Wait) -> (BlockingBackend<()>, usize) {
    in_time(move || {
        let mut done = Vec::new();
        backend.drive(wait, &mut done).unwrap();
        (backend, done.len())
    })
}

pub(super) fn soon() -> Instant {
    Instant::now() + Duration::from_millis(50)
}

#[test]
fn without_anything_in_flight_only_a_deadline_is_slept_for() {
    let backend = backend(4, 2);
    let (backend, count) = drive(backend, Wait::Never);
    assert_eq!(count, 0);
    let (backend, count) = drive(backend, Wait::For(3));
    assert_eq!(count, 0);
    let deadline = soon();
    let (backend, count) = drive(backend, Wait::Until(deadline));
    assert_eq!(count, 0);
    assert!(Instant::now() >= deadline);
    let (_, count) = drive(backend, Wait::Until(Instant::now()));
    assert_eq!(count, 0);
}

#[test]
fn not_waiting_leaves_what_is_running_alone() {
    let mut backend = backend(4, 2);
    let (request, writer) = lasting();
    backend.push(request).unwrap();
    let (backend, count) = drive(backend, Wait::Never);
    assert_eq!((count, backend.in_flight()), (0, 1));
    let deadline = soon();
    let (backend, count) = drive(backend, Wait::Until(deadline));
    assert_eq!((count, backend.in_flight()), (0, 1));
    assert!(Instant::now() >= deadline);
    // Before the backend is dropped, which waits for the call.
    drop(writer);
}

#[test]
fn waiting_for_a_number_waits_for_that_many_or_for_all_there_are() {
    for (wait, at_least) in [(Wait::For(2), 2), (Wait::For(usize::MAX), 3)] {
        let mut backend = backend(4, 4);
        let mut writers = Vec::new();
        for _ in 0..3 {
            let (request, writer) = lasting();
            backend.push(request).unwrap();
            writers.push(writer);
        }
        drop(writers.pop());
        let driving = thread::spawn(move || drive(backend, wait));
        // One by one, so that every wake-up but the last is one too early.
        for writer in writers {
            thread::yield_now();
            drop(writer);
        }
        let (backend, count) = driving.join().unwrap();
        assert!(count >= at_least, "{wait:?}: {count}");
        assert_eq!(backend.in_flight(), 3 - count);
    }
}

#[test]
fn a_deadline_far_away_is_not_waited_for_when_a_request_finishes() {
    let mut backend = backend(4, 2);
    let (request, writer) = lasting();
    backend.push(request).unwrap();
    let driving = thread::spawn(move || {
        // Too many seconds for the kernel's own counting in nanoseconds.
        drive(
            backend,
            Wait::Until(Instant::now() + Duration::from_secs(1 << 40)),
        )
    });
    drop(writer);
    assert_eq!(driving.join().unwrap().1, 1);
}

#[test]
fn a_ring_ends_the_current_drive_and_only_that() {
    for wait in [Wait::For(1), Wait::Until(Instant::now() + 2 * DEADLINE)] {
        let mut backend = backend(4, 2);
        let (request, writer) = lasting();
        backend.push(request).unwrap();
        let waker = backend.waker();
        let driving = thread::spawn(move || drive(backend, wait));
        waker.ring();
        let (backend, count) = driving.join().unwrap();
        assert_eq!((count, backend.in_flight()), (0, 1));
        let deadline = soon();
        let _backend = drive(backend, Wait::Until(deadline));
        assert!(Instant::now() >= deadline, "a ring counts once");
        drop(writer);
    }
}

#[test]
fn a_ring_before_the_drive_is_not_lost_and_takes_no_completion_away() {
    let mut backend = backend(4, 2);
    backend.push(prompt()).unwrap();
    let (request, writer) = lasting();
    backend.push(request).unwrap();
    for _ in 0..100 {
        backend.waker().ring();
    }
    let (mut backend, first) = drive(backend, Wait::For(2));
    assert!(first <= 1);
    drop(writer);
    let mut count = first;
    while count < 2 {
        let (again, more) = drive(backend, Wait::For(1));
        (backend, count) = (again, count + more);
    }
    assert_eq!(backend.in_flight(), 0);
}

#[test]
fn the_threads_leave_a_driver_alone_that_does_not_sleep() {
    let mut backend = backend(8, 2);
    for _ in 0..8 {
        backend.push(prompt()).unwrap();
    }
    let (backend, count) = drive(backend, Wait::Never);
    until("all are answered", || {
        count + backend.threads.answer_count() == 8
    });
    let bell = readable_until(&backend.waker, Some(Instant::now())).unwrap();
    assert!(!bell, "nobody asleep, and yet the doorbell was touched");
}

#[test]
fn a_driver_that_sleeps_is_never_left_asleep() {
    const ROUNDS: usize = 3000;
    in_time(|| {
        let mut backend = backend::<()>(16, 4);
        let mut done = Vec::new();
        for round in 0..ROUNDS {
            let count = 1 + round % 16;
            for _ in 0..count {
                backend.push(prompt()).unwrap();
            }
            for wait in [1, round % 5, usize::MAX] {
                let before = done.len();
                let wanted = wait.min(backend.in_flight());
                backend.drive(Wait::For(wait), &mut done).unwrap();
                assert!(done.len() - before >= wanted, "nobody rang");
            }
            assert_eq!((done.len(), backend.in_flight()), (count, 0));
            done.clear();
        }
    });
}

#[test]
fn d17_the_depth_bounds_what_is_inside_and_refusal_gives_the_request_back() {
    let mut backend = backend(3, 1);
    let mut writers = Vec::new();
    for _ in 0..3 {
        let (request, writer) = lasting();
        backend.push(request).unwrap();
        writers.push(writer);
    }
    for _ in 0..2 {
        assert_eq!((backend.capacity(), backend.in_flight()), (3, 3));
        let Full(request) = backend.push(prompt()).unwrap_err();
        assert_eq!(request.fd(), -1);
        (backend, _) = drive(backend, Wait::Never);
    }
    drop(writers);
    let (mut backend, count) = drive(backend, Wait::For(3));
    assert_eq!((count, backend.in_flight()), (3, 0));
    backend.push(prompt()).unwrap();
}

#[test]
fn dropping_waits_for_the_call_that_runs_and_begins_no_other() {
    let mut backend = backend::<ClosureCb>(8, 1);
    let (tx, rx) = channel();
    let (request, mut writer) = lasting();
    backend.push(request).unwrap();
    for _ in 0..7 {
        let tx = tx.clone();
        let (reader, other) = io::pipe().unwrap();
        let mut event = IOEvent::sync(Arc::new(OwnedFd::from(reader)));
        event.set_callback(ClosureCb::new(move |_| {
            tx.send(other).unwrap();
        }));
        backend.push(Request::from(event)).unwrap();
    }
    drop(tx);
    let mut done = Vec::new();
    backend.drive(Wait::Never, &mut done).unwrap();
    let unbegun = backend.threads.unbegun();
    until("the call runs", || unbegun() == 7);

    let written = Arc::new(AtomicBool::new(false));
    let dropping = thread::spawn({
        let written = Arc::clone(&written);
        move || {
            drop(backend);
            written.load(Ordering::SeqCst)
        }
    });
    until("the threads are told to stop", || unbegun() == 0);
    written.store(true, Ordering::SeqCst);
    writer.write_all(b"x").unwrap();
    // The other calls would last for ever: their writers are inside their callbacks.
    assert!(in_time(|| dropping.join().unwrap()));
    assert!(rx.recv_timeout(DEADLINE).is_err(), "no callback is called");
}

#[test]
fn abandoning_leaves_the_call_that_runs_to_its_thread() {
    let mut backend = backend::<()>(4, 1);
    let (request, writer) = lasting();
    backend.push(request).unwrap();
    for _ in 0..2 {
        backend.push(prompt()).unwrap();
    }
    let mut done = Vec::new();
    backend.drive(Wait::Never, &mut done).unwrap();
    let unbegun = backend.threads.unbegun();
    until("the call runs", || unbegun() == 2);
    backend.push(prompt()).unwrap();

    let (mut backend, done) = in_time(move || {
        backend.abandon(&mut done);
        (backend, done)
    });
    assert_eq!((done.len(), backend.in_flight()), (4, 0));
    assert!(done.iter().all(Completion::is_given_up));
    done.into_iter().for_each(Completion::finish);
    let mut done = Vec::new();
    backend.push(prompt()).unwrap();
    backend.drive(Wait::For(1), &mut done).unwrap_err();
    assert_eq!((done.len(), backend.in_flight()), (1, 0));
    in_time(move || drop(backend));
    // The thread goes on, and finds nobody who wants its answer.
    drop(writer);
}

/// Otherwise it would read of the file that has the number by then, or write to it.
#[test]
fn what_is_abandoned_stays_open_until_its_thread_has_made_the_call() {
    static MAY_CALL: AtomicBool = AtomicBool::new(false);
    fn calls_late(job: Job) -> Answer {
        until("it is let go", || MAY_CALL.load(Ordering::SeqCst));
        job.make()
    }
    let settings = BlockingSettings::with_depth(1).threads(1);
    let waker = Waker::new().unwrap();
    let mut backend = BlockingBackend::start(settings, waker, Doorbell::Own, calls_late).unwrap();
    let file = Arc::new(tempfile::tempfile().unwrap());
    let watched = Arc::downgrade(&file);
    let event = IOEvent::<()>::new(file, vec![1].into(), IOAction::Write, 0);
    backend.push(Request::from(event)).unwrap();
    let mut done = Vec::new();
    backend.drive(Wait::Never, &mut done).unwrap();
    let unbegun = backend.threads.unbegun();
    until("a thread has the job", || unbegun() == 0);

    backend.abandon(&mut done);
    done.into_iter().for_each(Completion::finish);
    drop((backend, unbegun));
    assert!(
        watched.upgrade().is_some(),
        "the number may mean another file"
    );
    MAY_CALL.store(true, Ordering::SeqCst);
    until("it is closed", || watched.upgrade().is_none());
}

#[test]
fn a_call_that_panics_is_an_answer_like_any_other() {
    fn panics(_: Job) -> Answer {
        panic!("as a test");
    }
    let settings = BlockingSettings::with_depth(2).threads(1);
    let waker = Waker::new().unwrap();
    let mut backend: BlockingBackend<()> =
        BlockingBackend::start(settings, waker, Doorbell::Own, panics).unwrap();
    for _ in 0..3 {
        backend.push(prompt()).unwrap();
        let (again, count) = drive(backend, Wait::For(1));
        assert_eq!(count, 1);
        backend = again;
    }
}

#[test]
fn one_sleep_serves_two_backends() {
    in_time(|| {
        let mut main = backend::<()>(2, 1);
        let settings = BlockingSettings::with_depth(2).threads(2);
        let mut side =
            BlockingBackend::start(settings, main.waker(), Doorbell::Foreign, read_a_byte).unwrap();
        for round in 0..500 {
            let (request, writer) = lasting();
            main.push(request).unwrap();
            let (request, side_writer) = lasting();
            side.push(request).unwrap();
            let mut writers = [Some(writer), Some(side_writer)];
            let releasing = thread::spawn(move || {
                // In either order, and each in its own time.
                drop(writers[round % 2].take());
                drop(writers);
            });
            let mut done = Vec::new();
            side.drive(Wait::Never, &mut done).unwrap();
            while done.len() < 2 {
                let before = Instant::now();
                main.drive(Wait::Until(before + DEADLINE), &mut done)
                    .unwrap();
                side.drive(Wait::Never, &mut done).unwrap();
                assert!(
                    before.elapsed() < DEADLINE / 2,
                    "a completion was slept over"
                );
            }
            releasing.join().unwrap();
        }
    });
}

#[test]
fn a_backend_with_a_foreign_doorbell_sleeps_there_too() {
    in_time(|| {
        let settings = BlockingSettings::with_depth(2);
        let waker = Waker::new().unwrap();
        let mut side: BlockingBackend<()> =
            BlockingBackend::start(settings, waker, Doorbell::Foreign, read_a_byte).unwrap();
        for _ in 0..500 {
            side.push(prompt()).unwrap();
            side.push(prompt()).unwrap();
            let mut done = Vec::new();
            while done.len() < 2 {
                side.drive(Wait::For(1), &mut done).unwrap();
            }
        }
    });
}
