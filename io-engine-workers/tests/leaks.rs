//! What is opened is closed again, and what has nothing to do does nothing. One test at a time:
//! threads and descriptors are counted over the whole process.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]
#![allow(
    unsafe_code,
    reason = "the processor time of the process has no safe interface"
)]

mod deadline;

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use deadline::{DEADLINE, in_time, until};
use io_engine_core::{Backend, ClosureCb, IOEvent, Request, Wait};
use io_engine_workers::{BlockingBackend, BlockingSettings, IOWorkers};

fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Threads of ours by name: those of the test harness come and go.
fn our_threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| {
        // A thread may end between the two looks.
        std::fs::read_to_string(task.ok()?.path().join("comm")).ok()
    });
    names
        .filter(|name| name.starts_with("io-worker-") || name.starts_with("io-block-"))
        .count()
}

/// Doorbells: no other descriptor is ours, and those of the test harness come and go.
fn our_descriptors() -> usize {
    let descriptors = std::fs::read_dir("/proc/self/fd").unwrap();
    let targets = descriptors.filter_map(|one| std::fs::read_link(one.ok()?.path()).ok());
    targets
        .filter(|target| target.to_string_lossy().contains("eventfd"))
        .count()
}

fn nothing_is_left() {
    // A joined thread may be listed a moment longer.
    until("no thread and no doorbell is left", || {
        our_threads() == 0 && our_descriptors() == 0
    });
}

fn cpu_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the kernel writes one `timespec` to the pointer, which this frame owns.
    let answer = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    assert_eq!(answer, 0);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap(),
        u32::try_from(time.tv_nsec).unwrap(),
    )
}

#[test]
fn d20_a_thousand_backends_leave_no_thread_and_no_descriptor() {
    let _alone = alone();
    in_time(|| {
        let file = Arc::new(tempfile::tempfile().unwrap());
        let settings = BlockingSettings::with_depth(8).threads(2);
        for round in 0..1000 {
            let mut backend = BlockingBackend::<()>::new(settings).unwrap();
            // Dropped unused, with requests pushed, with requests sent, and with all done.
            let mut done = Vec::new();
            for _ in 0..round % 9 {
                backend.push(Request::from(IOEvent::sync(&file))).unwrap();
            }
            match round % 3 {
                0 => {}
                1 => backend.drive(Wait::Never, &mut done).unwrap(),
                _ => backend.drive(Wait::For(8), &mut done).unwrap(),
            }
        }
    });
    nothing_is_left();
}

#[test]
fn d20_a_thousand_pools_leave_no_thread() {
    let _alone = alone();
    in_time(|| {
        for round in 0..1000 {
            let workers = IOWorkers::new(2);
            let lane = workers.lane::<ClosureCb>(8);
            let (tx, rx) = channel();
            let events = (0..round % 9).map(|index| {
                let tx = tx.clone();
                let mut event = IOEvent::sync(-1);
                event.set_callback(ClosureCb::new(move |_| tx.send(index).unwrap()));
                event
            });
            lane.deliver(&mut events.collect());
            if round % 2 == 0 {
                drop(workers);
                drop(lane);
            } else {
                drop(lane);
                drop(workers);
            }
            assert_eq!(rx.try_iter().count(), round % 9);
        }
    });
    nothing_is_left();
}

#[test]
fn a_pool_that_a_callback_dropped_ends_by_itself() {
    let _alone = alone();
    let (tx, rx) = channel();
    for _ in 0..100 {
        let workers = IOWorkers::new(2);
        let lane = workers.lane(1);
        let (go, gate) = channel();
        let (tx, last) = (tx.clone(), lane.clone());
        let mut event = IOEvent::sync(-1);
        event.set_callback(ClosureCb::new(move |_| {
            gate.recv_timeout(DEADLINE).unwrap();
            drop(last);
            tx.send(()).unwrap();
        }));
        lane.deliver(&mut vec![event]);
        drop((workers, lane));
        go.send(()).unwrap();
        rx.recv_timeout(DEADLINE).unwrap();
    }
    nothing_is_left();
}

#[test]
fn d12_what_has_nothing_to_do_uses_no_processor() {
    let _alone = alone();
    let used = in_time(|| {
        let settings = BlockingSettings::with_depth(8).threads(8);
        let mut backend = BlockingBackend::<()>::new(settings).unwrap();
        let workers = IOWorkers::new(8);
        let lane = workers.lane::<()>(8);
        lane.deliver(&mut vec![IOEvent::sync(-1)]);
        lane.wait_idle();
        // A call that lasts, with the driver asleep and its thread in the kernel, is not at hand
        // on every machine; a thread without a call is the same to the processor.
        let before = cpu_time();
        let deadline = Instant::now() + Duration::from_millis(400);
        backend
            .drive(Wait::Until(deadline), &mut Vec::new())
            .unwrap();
        cpu_time() - before
    });
    assert!(used < Duration::from_millis(100), "{used:?} in 400 ms");
    nothing_is_left();
}
