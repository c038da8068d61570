//! What merging costs in allocations, counted.
#![allow(
    unsafe_code,
    reason = "an allocator that counts can only be told to the compiler this way"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use io_engine_core::{Buffer, IOAction, IOEvent};
use io_engine_merge::MergeBuffer;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

/// Counts per thread, so that the threads of the test harness do not disturb.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system's allocator unchanged, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract of `alloc`, which is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the memory is from `System` with this layout, as the caller guarantees.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// How many allocations it costs to collect and give out a run of `count` events.
fn allocations_of_a_run(buffer: &mut MergeBuffer<()>, count: usize) -> usize {
    let write = |offset| IOEvent::new(3, Buffer::from(vec![0; 8]), IOAction::Write, offset);
    let events: Vec<IOEvent<()>> = (0..).step_by(8).take(count).map(write).collect();
    let before = ALLOCATIONS.get();
    for event in events {
        buffer.offer(event).expect("it continues the run");
    }
    let carrier = buffer.flush();
    let counted = ALLOCATIONS.get() - before;
    assert_eq!(
        carrier.into_iter().flat_map(IOEvent::into_events).count(),
        count
    );
    counted
}

#[test]
fn a_lone_event_costs_no_allocation_and_a_run_three_whatever_its_length() {
    let mut buffer = MergeBuffer::new(1 << 20);
    allocations_of_a_run(&mut buffer, 1000);
    for _ in 0..3 {
        assert_eq!(allocations_of_a_run(&mut buffer, 1), 0);
        assert_eq!(allocations_of_a_run(&mut buffer, 2), 3);
        assert_eq!(allocations_of_a_run(&mut buffer, 1000), 3);
    }
}
