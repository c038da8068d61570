//! A driver whose thread is showered with signals.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]
#![allow(unsafe_code, reason = "signals have no safe interface")]

mod deadline;

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::thread::JoinHandleExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use deadline::{in_time, until};
use io_engine_core::{Backend, Buffer, IOAction, IOEvent, Request, Wait};
use io_engine_workers::{BlockingBackend, BlockingSettings};

static SIGNALS: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count_signal(_signal: i32) {
    SIGNALS.fetch_add(1, Ordering::Relaxed);
}

fn heed_signals() {
    let handler = count_signal as extern "C" fn(i32);
    // SAFETY: all-zero is a valid `sigaction`: no flags, so no SA_RESTART, and an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as libc::sighandler_t;
    // SAFETY: the handler only adds to an atomic; the old action is not wanted.
    let answer = unsafe { libc::sigaction(libc::SIGUSR2, &raw const action, std::ptr::null_mut()) };
    assert_eq!(answer, 0);
}

#[test]
fn d5_signals_neither_end_a_sleep_nor_lose_anything() {
    heed_signals();
    let settings = BlockingSettings::with_depth(2).threads(1);
    let mut backend = BlockingBackend::<()>::new(settings).unwrap();
    let (reader, writer) = io::pipe().unwrap();
    let reader = Arc::new(OwnedFd::from(reader));
    let read = IOEvent::new(reader, Buffer::from(vec![0; 1]), IOAction::Read, 0);
    backend.push(Request::from(read)).unwrap();
    let driving = thread::spawn(move || {
        let mut done = Vec::new();
        let result = backend.drive(Wait::For(1), &mut done);
        let deadline = Instant::now() + Duration::from_millis(50);
        let later = backend.drive(Wait::Until(deadline), &mut done);
        (result.and(later), done.len(), Instant::now() >= deadline)
    });
    let driver = driving.as_pthread_t();
    until("signals came", || {
        // SAFETY: the thread cannot have ended: its request is finished only further down, and
        // its handle has not been joined.
        unsafe { libc::pthread_kill(driver, libc::SIGUSR2) };
        SIGNALS.load(Ordering::Relaxed) >= 1000
    });
    drop(writer);
    let (result, count, in_full) = in_time(|| driving.join().unwrap());
    result.unwrap();
    assert_eq!((count, in_full), (1, true));
}
