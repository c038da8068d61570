//! Nothing is allocated per event or per request, once everything has been used.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]
#![allow(unsafe_code, reason = "an allocator that counts is one")]

mod deadline;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use deadline::{DEADLINE, in_time};
use io_engine_core::{Backend, Buffer, IOAction, IOCallback, IOEvent, Request, Wait};
use io_engine_workers::{BlockingBackend, BlockingSettings, IOWorkers};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is handed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: our caller keeps the contract, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: our caller keeps the contract, which is the same.
        unsafe { System.dealloc(start, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Gives the event back to the loop.
#[derive(Clone)]
struct Back(crossbeam_channel::Sender<IOEvent<Self>>);

impl IOCallback for Back {
    fn call(self, mut event: IOEvent<Self>) {
        let loop_side = self.0.clone();
        event.set_callback(self);
        loop_side.send(event).unwrap();
    }
}

/// Runs `rounds` rounds to warm up and then as many again; how many allocations the latter made.
fn after_warm_up(rounds: usize, mut round: impl FnMut()) -> usize {
    (0..rounds).for_each(|_| round());
    let before = ALLOCATIONS.load(Ordering::SeqCst);
    (0..rounds).for_each(|_| round());
    ALLOCATIONS.load(Ordering::SeqCst) - before
}

/// One test, as it counts what the whole process does.
#[test]
fn d25_neither_lanes_nor_requests_allocate_after_warm_up() {
    const ROUNDS: usize = 2000;
    const DEPTH: usize = 32;
    /// What the harness and a late first use of something may cost, far below one per event.
    const STRAY: usize = 20;

    let by_lane = in_time(|| {
        let workers = IOWorkers::new(2);
        let lane = workers.lane(DEPTH);
        let (tx, rx) = crossbeam_channel::bounded(DEPTH);
        let mut events = Vec::with_capacity(DEPTH);
        for _ in 0..DEPTH {
            let mut event = IOEvent::sync(-1);
            event.set_callback(Back(tx.clone()));
            events.push(event);
        }
        after_warm_up(ROUNDS, || {
            lane.deliver(&mut events);
            for _ in 0..DEPTH {
                events.push(rx.recv_timeout(DEADLINE).unwrap());
            }
            // A callback has sent its event a moment before it returns.
            lane.wait_idle();
        })
    });
    assert!(by_lane < STRAY, "{by_lane} for {} events", ROUNDS * DEPTH);

    let by_request = in_time(|| {
        let settings = BlockingSettings::with_depth(DEPTH);
        let mut backend = BlockingBackend::<()>::new(settings).unwrap();
        let file = Arc::new(tempfile::tempfile().unwrap());
        let mut done = Vec::with_capacity(DEPTH);
        let mut requests = Vec::with_capacity(DEPTH);
        for index in 0..DEPTH {
            let buffer = Buffer::from(vec![0; 64]);
            let offset = i64::try_from(index * 64).unwrap();
            let event = IOEvent::new(&file, buffer, IOAction::Write, offset);
            requests.push(Request::from(event));
        }
        after_warm_up(ROUNDS, || {
            for request in requests.drain(..) {
                backend.push(request).unwrap();
            }
            backend.drive(Wait::For(DEPTH), &mut done).unwrap();
            requests.extend(done.drain(..).map(|one| one.into_request()));
        })
    });
    let count = ROUNDS * DEPTH;
    assert!(by_request < STRAY, "{by_request} for {count} requests");
}
