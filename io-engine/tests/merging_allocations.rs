//! No allocation per event with merging on, once everything has been used.
//!
//! In a program of its own: it counts what the whole process allocates.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::fs::File;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use io_engine::callback_worker::Inline;
use io_engine::merge::{MergeCounters, MergeLimits};
use io_engine::tasks::{IOAction, IOCallback, IOEvent};
use io_engine::{Buffer, Driver, EventLoop, IOContext, Wait};
use machine::allocator::Counting;
use machine::{drivers, within_deadline};

mod machine;

#[global_allocator]
static ALLOCATOR: Counting = Counting::new();

const BATCH: usize = 32;
const BLOCK: usize = 4096;
/// Batches before it is counted: the longest run has been seen by then, and as many runs at once as
/// there can be.
const WARM_UP: usize = 400;
const COUNTED: usize = 600;

/// Where there are threads, one of them may do something for the first time as late as this. Far
/// below one per run, not to speak of one per event.
const STRAY: usize = 10;

/// Gives the buffer back to the test, by a channel that has its memory from the start.
#[derive(Clone)]
struct Back {
    free: crossbeam_channel::Sender<Buffer>,
    called: Arc<AtomicUsize>,
    barrier: Arc<Barrier>,
}

impl IOCallback for Back {
    fn call(self, event: IOEvent<Self>) {
        if event.action() == IOAction::Nop {
            // The loop's thread is here until the test has sent a batch, and then finds all of it.
            self.barrier.wait();
            self.barrier.wait();
            return;
        }
        assert_eq!(event.get_result().unwrap(), BLOCK);
        self.free.send(event.into_buffer().unwrap()).unwrap();
        self.called.fetch_add(1, Ordering::SeqCst);
    }
}

/// Hands batches over: whole streams, with holes, with twins, and such as nothing can be made of.
struct Course {
    file: Arc<File>,
    back: Back,
    buffers: crossbeam_channel::Receiver<Buffer>,
    batches: usize,
}

impl Course {
    fn new() -> Self {
        let (free, buffers) = crossbeam_channel::bounded(BATCH);
        for _ in 0..BATCH {
            free.send(Buffer::aligned(BLOCK).unwrap()).unwrap();
        }
        let file = tempfile::tempfile().unwrap();
        file.set_len((4 * BATCH * BLOCK) as u64).unwrap();
        Self {
            file: Arc::new(file),
            back: Back {
                free,
                called: Arc::default(),
                barrier: Arc::new(Barrier::new(2)),
            },
            buffers,
            batches: 0,
        }
    }

    fn next_batch(&mut self) -> impl Iterator<Item = IOEvent<Back>> + '_ {
        let number = self.batches;
        self.batches += 1;
        (0..BATCH).map(move |index| {
            let action = [IOAction::Write, IOAction::Read][number % 2];
            let block = match number % 8 / 2 {
                0 => index,
                // Reads with holes between them; they are too long for writes.
                1 => index / 4 * 8 + index % 4,
                // Pairs of reads of the same block; of writes, one waits for the other.
                2 => index / 2,
                _ => BATCH - index,
            };
            let buffer = self.buffers.recv().unwrap();
            let offset = i64::try_from(block * BLOCK).unwrap();
            let mut event = IOEvent::new(&self.file, buffer, action, offset);
            event.set_callback(self.back.clone());
            event
        })
    }

    /// Stops the loop in a callback.
    fn stopper(&self) -> IOEvent<Back> {
        let mut event = IOEvent::nop();
        event.set_callback(self.back.clone());
        event
    }

    fn is_behind(&self) -> bool {
        self.back.called.load(Ordering::SeqCst) < self.batches * BATCH
    }
}

fn limits() -> MergeLimits {
    let limits = MergeLimits::default().with_gap_bytes_max(4 * BLOCK);
    limits.sharing_reads()
}

/// Carries batches out one by one; says how many allocations there were after the warm-up.
fn counted(mut carry_out: impl FnMut(&mut Course)) -> usize {
    let mut course = Course::new();
    (0..WARM_UP).for_each(|_| carry_out(&mut course));
    let before = ALLOCATOR.made();
    (0..COUNTED).for_each(|_| carry_out(&mut course));
    ALLOCATOR.made() - before
}

fn assert_has_merged(counters: Option<MergeCounters>, stoppers: usize) {
    let counters = counters.unwrap();
    let events = BATCH * (WARM_UP + COUNTED) + stoppers;
    assert_eq!(counters.events, events as u64);
    assert!(counters.requests * 3 < counters.events, "{counters:?}");
    assert!(
        counters.shared_reads > 0 && counters.hole_bytes > 0,
        "{counters:?}"
    );
    assert!(counters.ended_at_hazard > 0, "{counters:?}");
}

fn in_a_loop(driver: Driver) -> usize {
    let builder = EventLoop::builder().depth(BATCH).driver(driver);
    let mut engine = builder.merge(limits()).build().unwrap();
    let allocations = counted(|course| {
        for event in course.next_batch() {
            engine.submit(event).unwrap();
        }
        engine.run(Wait::For(BATCH)).unwrap();
        assert!(!course.is_behind());
    });
    assert_has_merged(engine.merge_counters(), 0);
    allocations
}

fn through_the_channel(driver: Driver) -> usize {
    let (tx, rx) = io_engine::channel(BATCH);
    let builder = IOContext::builder().depth(BATCH).driver(driver);
    let ctx = builder.merge(limits()).build(rx, &Inline).unwrap();
    let allocations = counted(|course| {
        tx.send(course.stopper()).unwrap();
        let barrier = Arc::clone(&course.back.barrier);
        barrier.wait();
        tx.send_batch(course.next_batch()).unwrap();
        barrier.wait();
        while course.is_behind() {
            thread::yield_now();
        }
    });
    assert_has_merged(ctx.merge_counters(), WARM_UP + COUNTED);
    ctx.shutdown().unwrap();
    allocations
}

#[test]
fn neither_runs_nor_holes_nor_shared_reads_cost_an_allocation_after_warm_up() {
    for driver in drivers() {
        within_deadline("allocations", move || {
            let own_thread = in_a_loop(driver);
            assert_eq!(own_thread, 0, "{driver}: on the thread of the caller");
            let channel = through_the_channel(driver);
            assert!(channel < STRAY, "{driver}: {channel} through the channel");
        });
    }
}
