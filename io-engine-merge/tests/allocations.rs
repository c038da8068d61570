//! What merging costs in allocations, counted.
#![allow(
    unsafe_code,
    reason = "an allocator that counts can only be told to the compiler this way"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use io_engine_core::{Buffer, Completion, IOAction, IOEvent, Request};
use io_engine_merge::{Fact, FactKind, FileFacts, MergeBuffer, MergeLimits, Merger, Planner};

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
        .plan(facts, |_| FileFacts::UNKNOWN)
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
        let firsts = planner.plan(&batch[..1], |_| FileFacts::UNKNOWN);
        assert_eq!(firsts.requests().count(), 1);
        assert_eq!(requests_planned(&mut planner, &batch), planned);
    }
    assert!(failures > 3, "each of the allocations can fail");
}

/// The vectors of a loop, kept for their memory.
#[derive(Default)]
struct Loop {
    events: Vec<IOEvent<()>>,
    requests: Vec<Request<()>>,
    finished: Vec<IOEvent<()>>,
    again: Vec<Request<()>>,
}

impl Loop {
    /// Reads with holes, some of them twice, and writes of another file.
    fn fill(&mut self, buffers: Vec<Buffer>) {
        let places = [0, 8, 16, 32, 8, 900, 800, 1000, 1008, 40, 48];
        for (round, buffer) in buffers.into_iter().enumerate() {
            let (file, action) = if round % 3 == 2 {
                (4, IOAction::Write)
            } else {
                (3, IOAction::Read)
            };
            let offset = places[round % places.len()];
            self.events.push(IOEvent::new(file, buffer, action, offset));
        }
    }

    fn turn(&mut self, merger: &mut Merger<()>) {
        for event in self.events.drain(..) {
            merger.offer(event).expect("there is room");
        }
        merger.release(
            |_| FileFacts::UNKNOWN,
            |request| self.requests.push(request),
        );
        for mut request in self.requests.drain(..) {
            // The kernel's part: the segments are laid out, and all bytes come.
            let _ = request.operation();
            let bytes = i64::try_from(request.total_bytes()).expect("small");
            Completion::from_kernel(request, bytes).settle(&mut self.finished, &mut self.again);
        }
    }
}

#[test]
fn merging_costs_no_allocation_after_warm_up_from_the_offer_to_the_end_of_each_event() {
    let limits = MergeLimits::default().with_gap_bytes_max(8).sharing_reads();
    let mut merger = Merger::new(limits, 64);
    let mut all = Loop::default();
    let mut buffers: Vec<Buffer> = (0..60).map(|_| Buffer::from(vec![0; 8])).collect();
    // Until every run that the pool keeps has been the longest once.
    let warm_up = 3;
    for round in 0..3 + warm_up {
        all.fill(std::mem::take(&mut buffers));
        let before = ALLOCATIONS.get();
        all.turn(&mut merger);
        let counted = ALLOCATIONS.get() - before;
        assert!(
            round < warm_up || counted == 0,
            "{counted} in round {round}"
        );
        let finished = all.finished.drain(..);
        buffers.extend(finished.filter_map(IOEvent::into_buffer));
        assert_eq!(buffers.len(), 60);
    }
    let counters = merger.counters();
    assert!(counters.runs > 5, "{counters:?}");
    assert!(counters.shared_reads > 5, "{counters:?}");
    assert!(counters.hole_bytes > 5, "{counters:?}");
}

#[test]
fn without_memory_to_merge_every_event_is_sent_all_the_same() {
    for left in 0..40 {
        let mut all = Loop::default();
        all.fill((0..60).map(|_| Buffer::from(vec![0; 8])).collect());
        all.requests.reserve(60);
        let mut merger = Merger::new(MergeLimits::default().sharing_reads(), 64);
        for event in all.events.drain(..) {
            merger.offer(event).expect("there is room");
        }
        with_memory_for(left, || {
            merger.release(|_| FileFacts::UNKNOWN, |request| all.requests.push(request));
        });
        let sent: usize = all.requests.iter().map(Request::event_count).sum();
        assert_eq!(sent, 60);
    }
    let mut merger = Merger::new(MergeLimits::default(), 64);
    let read = IOEvent::<()>::new(3, Buffer::from(vec![0; 8]), IOAction::Read, 0);
    assert!(with_memory_for(0, || merger.offer(read)).is_err());
    assert!(merger.is_empty());
}
