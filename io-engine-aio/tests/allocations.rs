//! After a warm-up a request costs no allocation. In a file of its own, because it counts those
//! of the whole process.
#![allow(unsafe_code, reason = "an allocator that counts is an allocator")]

mod harness;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use harness::*;
use io_engine_aio::{Backend, IOEvent, Request, Wait};

struct Counting;

static COUNT: AtomicUsize = AtomicUsize::new(0);

// SAFETY: hands everything on to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise, handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, handed on.
        unsafe { System.dealloc(start, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_request_costs_no_allocation_after_the_warm_up() {
    within_deadline(|| {
        const DEPTH: usize = 32;
        let scratch = Scratch::with_blocks(DEPTH);
        let file = scratch.direct();
        let mut ring = backend(DEPTH);
        let waker = ring.waker();
        let mut done = Vec::with_capacity(DEPTH);
        let mut events = Vec::with_capacity(DEPTH);
        let mut buffers: Vec<_> = (0..DEPTH - 1)
            .filter_map(|n| read_of_block(&file, n).into_buffer())
            .collect();
        let mut round = || {
            for n in 0..DEPTH - 1 {
                let buffer = buffers.pop().unwrap();
                let offset = i64::try_from(n * BLOCK).unwrap();
                let read = IOEvent::<()>::new(&file, buffer, io_engine_aio::IOAction::Read, offset);
                ring.push(Request::from(read)).unwrap();
            }
            ring.push(Request::from(IOEvent::sync(&file))).unwrap();
            waker.ring();
            while ring.in_flight() > 0 {
                ring.drive(Wait::For(DEPTH), &mut done).unwrap();
            }
            done.drain(..).for_each(|one| one.report(&mut events));
            for event in events.drain(..) {
                event.get_result().unwrap();
                buffers.extend(event.into_buffer());
            }
        };
        round();
        let before = COUNT.load(Ordering::Relaxed);
        (0..100).for_each(|_| round());
        let allocations = COUNT.load(Ordering::Relaxed) - before;
        assert_eq!(allocations, 0, "in 100 rounds of {DEPTH} requests");
        assert_eq!(Arc::strong_count(&file), 1);
    });
}
