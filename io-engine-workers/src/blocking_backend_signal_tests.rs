//! A driver whose thread is showered with signals while its call goes on.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]
#![allow(unsafe_code, reason = "signals have no safe interface")]

use std::os::unix::thread::JoinHandleExt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use io_engine_core::{Backend, Wait};

use super::tests::deadline::{in_time, until};
use super::tests::{backend, lasting, soon};

static SIGNALS: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count_signal(_signal: i32) {
    SIGNALS.fetch_add(1, Ordering::Relaxed);
}

#[test]
fn d5_signals_neither_end_a_sleep_nor_lose_anything() {
    let handler = count_signal as extern "C" fn(i32);
    // SAFETY: all-zero is a valid `sigaction`: no flags, so no SA_RESTART, and an empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as libc::sighandler_t;
    // SAFETY: the handler only adds to an atomic; the old action is not wanted.
    let answer = unsafe { libc::sigaction(libc::SIGUSR2, &raw const action, std::ptr::null_mut()) };
    assert_eq!(answer, 0);

    let mut backend = backend::<()>(2, 1);
    let (request, writer) = lasting();
    backend.push(request).unwrap();
    let driving = thread::spawn(move || {
        let mut done = Vec::new();
        let result = backend.drive(Wait::For(1), &mut done);
        let deadline = soon();
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
    assert!(!driving.is_finished(), "a signal has ended the sleep");
    drop(writer);
    let (result, count, in_full) = in_time(|| driving.join().unwrap());
    result.unwrap();
    assert_eq!((count, in_full), (1, true));
}
