//! What a start and a drop leave behind: nothing. In a file of its own, because it counts what
//! the process has; one test at a time.
#![allow(unsafe_code, reason = "setrlimit has no safe interface in std")]

mod harness;

use std::fs;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use harness::seccomp::forbid;
use harness::*;
use io_engine_aio::{AioBackend, AioSettings, Backend, IOEvent, Wait};

/// Held by each test.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Open descriptors and AIO contexts of this process. A context is mapped into it from `io_setup`
/// to `io_destroy`, so unlike `fs.aio-nr` the count does not see other processes.
#[derive(Debug, PartialEq, Eq)]
struct Holdings {
    descriptors: usize,
    contexts: usize,
}

fn holdings() -> Holdings {
    let maps = fs::read_to_string("/proc/self/maps").expect("procfs");
    Holdings {
        descriptors: fs::read_dir("/proc/self/fd").expect("procfs").count(),
        contexts: maps.lines().filter(|line| line.contains("[aio]")).count(),
    }
}

#[test]
fn d20_a_dropped_backend_leaves_neither_descriptor_nor_context() {
    let _alone = alone();
    within_deadline(|| {
        let before = holdings();
        let rings: Vec<_> = (0..10).map(|_| backend(8)).collect();
        let during = holdings();
        assert_eq!(during.contexts, before.contexts + 10, "the count is blind");
        assert_eq!(during.descriptors, before.descriptors + 10);
        drop(rings);
        assert_eq!(holdings(), before);
    });
}

/// Lets nothing be opened while `start` runs.
fn without_descriptors<T>(start: impl FnOnce() -> T) -> T {
    let mut old = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the kernel writes one rlimit, which this frame owns.
    let answer = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut old) };
    assert_eq!(answer, 0);
    let none = libc::rlimit { rlim_cur: 0, ..old };
    // SAFETY: the kernel reads one rlimit, which this frame owns.
    let answer = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const none) };
    assert_eq!(answer, 0);
    let value = start();
    // SAFETY: as above.
    let answer = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const old) };
    assert_eq!(answer, 0);
    value
}

#[test]
fn d20_a_start_without_descriptors_names_the_limit_and_leaves_no_context() {
    let _alone = alone();
    within_deadline(|| {
        let before = holdings();
        for _ in 0..10 {
            let start = || AioBackend::<()>::new(AioSettings::with_depth(8));
            let error = without_descriptors(start).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
            assert!(error.to_string().contains("RLIMIT_NOFILE"), "{error}");
        }
        assert_eq!(holdings(), before);
    });
}

#[test]
fn d20_a_context_that_turned_out_useless_is_not_left_behind() {
    let _alone = alone();
    within_deadline(|| {
        let before = holdings();
        forbid(libc::SYS_io_submit, libc::EPERM);
        for _ in 0..10 {
            let error = AioBackend::<()>::new(AioSettings::with_depth(8)).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EPERM), "{error}");
        }
        assert_eq!(holdings(), before);
    });
}

#[test]
fn d13_a_queue_of_depth_one_is_dropped_right_after_a_sync() {
    let _alone = alone();
    within_deadline(|| {
        let before = holdings().contexts;
        let scratch = Scratch::with_blocks(1);
        for round in 0..30 {
            let mut ring = backend(1);
            push(&mut ring, IOEvent::sync(&scratch.file));
            match round % 3 {
                0 => {}
                1 => ring.drive(Wait::Never, &mut Vec::new()).unwrap(),
                _ => ring.drive(Wait::For(1), &mut Vec::new()).unwrap(),
            }
        }
        assert_eq!(holdings().contexts, before);
    });
}

#[test]
fn d14_a_drop_with_work_in_flight_returns_and_frees_everything() {
    let _alone = alone();
    within_deadline(|| {
        let before = holdings().contexts;
        let scratch = Scratch::with_blocks(64);
        let file = scratch.direct();
        let owners = Arc::strong_count(&file);
        for _ in 0..20 {
            let mut ring = backend(64);
            (0..63).for_each(|n| push(&mut ring, read_of_block(&file, n)));
            push(&mut ring, IOEvent::sync(&file));
            ring.drive(Wait::Never, &mut Vec::new()).unwrap();
            (0..ring.capacity() - ring.in_flight())
                .for_each(|n| push(&mut ring, read_of_block(&file, n)));
        }
        assert_eq!(holdings().contexts, before);
        assert_eq!(Arc::strong_count(&file), owners);
    });
}

#[test]
fn d14_a_drop_with_a_doorbell_that_was_rung_returns() {
    let _alone = alone();
    within_deadline(|| {
        let before = holdings().contexts;
        for _ in 0..20 {
            let ring = backend(1);
            ring.waker().ring();
        }
        assert_eq!(holdings().contexts, before);
    });
}
