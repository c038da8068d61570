//! What merging costs in allocations, counted.
#![allow(
    unsafe_code,
    reason = "an allocator that counts can only be told to the compiler this way"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use io_engine_core::{Buffer, IOAction, IOEvent};
use io_engine_merge::{Fact, FactKind, FileLimits, MergeBuffer, MergeLimits, Planner};

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    /// How many more allocations succeed before there is no memory.
    static LEFT: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// Counts per thread, so that the threads of the test harness do not disturb, and fails when told to.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system's allocator unchanged, which keeps the contract, or is answered
// with a null pointer, which says that there is no memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        let Some(left) = LEFT.get().checked_sub(1) else {
            return std::ptr::null_mut();
        };
        LEFT.set(left);
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

/// Runs `action` with memory for `left` allocations.
fn with_memory_for<R>(left: usize, action: impl FnOnce() -> R) -> R {
    LEFT.set(left);
    let result = action();
    LEFT.set(usize::MAX);
    result
}

/// Two files, one of them with hazards.
fn facts(count: u64) -> Vec<Fact> {
    let write = |at| Fact {
        file: u32::from(at % 2 == 0),
        kind: FactKind::Write,
        start: at / 4 * 8,
        end: at / 4 * 8 + 8,
    };
    (0..count).map(write).collect()
}

fn requests_planned(planner: &mut Planner, facts: &[Fact]) -> usize {
    planner
        .plan(facts, |_| FileLimits::UNKNOWN)
        .requests()
        .count()
}

#[test]
fn planning_costs_no_allocation_after_the_first_batch() {
    let mut planner = Planner::new(MergeLimits::default());
    let batch = facts(200);
    let requests = requests_planned(&mut planner, &batch);
    assert!(requests < 200);
    let before = ALLOCATIONS.get();
    assert_eq!(requests_planned(&mut planner, &batch), requests);
    assert_eq!(ALLOCATIONS.get(), before);
}

#[test]
fn without_memory_each_event_travels_alone_in_order_and_the_next_batch_is_planned_again() {
    let batch = facts(200);
    let planned = requests_planned(&mut Planner::new(MergeLimits::default()), &batch);
    let mut failures = 0;
    for left in 0.. {
        let mut planner = Planner::new(MergeLimits::default());
        let requests = with_memory_for(left, || requests_planned(&mut planner, &batch));
        if requests == planned {
            break;
        }
        failures += 1;
        assert_eq!((requests, planner.counters().unplanned), (200, 200));
        let firsts = planner.plan(&batch[..1], |_| FileLimits::UNKNOWN);
        assert_eq!(firsts.requests().count(), 1);
        assert_eq!(requests_planned(&mut planner, &batch), planned);
    }
    assert!(failures > 3, "each of the allocations can fail");
}
