//! Signals that interrupt the thread that drives.
#![allow(
    unsafe_code,
    reason = "handlers without SA_RESTART and signals to one thread have no safe interface"
)]

mod harness;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use harness::*;
use io_engine_aio::{Backend, Wait};

static SIGNAL_COUNT: AtomicUsize = AtomicUsize::new(0);

extern "C" fn count(_signal: libc::c_int) {
    SIGNAL_COUNT.fetch_add(1, Ordering::Relaxed);
}

/// Interrupts system calls instead of restarting them.
fn install_handler() {
    let handler: extern "C" fn(libc::c_int) = count;
    // SAFETY: sigaction is made of integers and an address that may be null, so zeroes are a value.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as *const () as libc::sighandler_t;
    // SAFETY: the action is initialised and lives through the call; its handler only touches an
    // atomic, which a signal handler may.
    let answer = unsafe { libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut()) };
    assert_eq!(answer, 0);
}

/// Runs `work` on this thread while another one sends it signals without end. Gives the count of
/// those that came.
fn in_a_storm(mut work: impl FnMut()) -> usize {
    install_handler();
    let stop = AtomicBool::new(false);
    // SAFETY: takes nothing and cannot fail.
    let target = unsafe { libc::pthread_self() };
    let before = SIGNAL_COUNT.load(Ordering::Relaxed);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                // SAFETY: the target thread outlives the scope, which joins this one.
                let answer = unsafe { libc::pthread_kill(target, libc::SIGUSR1) };
                assert_eq!(answer, 0);
            }
        });
        work();
        stop.store(true, Ordering::Relaxed);
    });
    SIGNAL_COUNT.load(Ordering::Relaxed) - before
}

#[test]
fn d5_a_storm_of_signals_spoils_no_read() {
    within_deadline(|| {
        let scratch = Scratch::with_blocks(64);
        let file = scratch.direct();
        let mut ring = backend(8);
        let signals = in_a_storm(|| {
            for round in 0..200 {
                let first = round * 8 % 64;
                (first..first + 8).for_each(|n| push(&mut ring, read_of_block(&file, n)));
                let events = drain(&mut ring);
                assert_eq!(events.len(), 8);
                for (n, event) in (first..).zip(events) {
                    assert_is_block(event, n);
                }
            }
        });
        assert!(signals > 0, "no signal came");
    });
}

#[test]
fn d5_a_storm_of_signals_neither_shortens_nor_lengthens_a_sleep() {
    within_deadline(|| {
        let mut ring = backend(1);
        let nap = Duration::from_millis(100);
        let signals = in_a_storm(|| {
            let start = Instant::now();
            ring.drive(Wait::Until(start + nap), &mut Vec::new())
                .unwrap();
            assert!(start.elapsed() >= nap);
            assert!(start.elapsed() < DEADLINE / 2);
        });
        assert!(signals > 0, "no signal came");
    });
}
