//! Merging, in front of each kind of sender and inside the loop: the same bytes, the same callbacks.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_channel::bounded;
use io_engine::callback_worker::{IOWorkers, Inline};
use io_engine::merge::{EventSender, MergeLimits, MergeSubmitter};
use io_engine::tasks::{IOAction, IOCallback, IOEvent};
use io_engine::{Buffer, Driver, IOContext};
use io_engine_core::conformance::Random;
use machine::{drivers, within_deadline};

mod machine;

const BLOCKS: usize = 600;
/// No power of two, so that sizes and limits never divide each other.
const BLOCK: usize = 1300;

/// Every fifth event has no callback, in the middle of runs too.
fn has_callback(number: usize) -> bool {
    number % 5 != 3
}

fn content(seed: u64) -> Vec<u8> {
    Random::new(seed).bytes(BLOCKS * BLOCK)
}

/// Compares what was read with what it has to be, right in the callback.
struct Check {
    expected: Arc<Vec<u8>>,
    called: Arc<AtomicUsize>,
    good: Arc<AtomicUsize>,
}

impl IOCallback for Check {
    fn call(self, event: IOEvent<Self>) {
        self.called.fetch_add(1, Ordering::SeqCst);
        let offset = usize::try_from(event.offset()).unwrap();
        let size = usize::try_from(event.get_size()).unwrap();
        let good = if event.action() == IOAction::Read {
            let end = (offset + size).min(self.expected.len());
            let buffer = event.get_read_result();
            buffer.is_ok_and(|buffer| *buffer == self.expected[offset.min(end)..end])
        } else {
            event.get_write_result().is_ok()
        };
        self.good.fetch_add(usize::from(good), Ordering::SeqCst);
    }
}

/// One file, what belongs into it, and what has come back.
struct Job {
    file: Arc<File>,
    expected: Arc<Vec<u8>>,
    called: Arc<AtomicUsize>,
    good: Arc<AtomicUsize>,
}

impl Job {
    fn new(seed: u64) -> Self {
        Self {
            file: Arc::new(tempfile::tempfile().unwrap()),
            expected: Arc::new(content(seed)),
            called: Arc::default(),
            good: Arc::default(),
        }
    }

    /// Events over the whole file, mostly in order, with gaps and turns in between.
    fn events(&self, action: IOAction, seed: u64) -> Vec<IOEvent<Check>> {
        let mut order: Vec<usize> = (0..BLOCKS).collect();
        let mut random = Random::new(seed);
        for _ in 0..40 {
            order.swap(random.below(BLOCKS), random.below(BLOCKS));
        }
        order
            .into_iter()
            .map(|number| self.event(action, number))
            .collect()
    }

    fn event(&self, action: IOAction, number: usize) -> IOEvent<Check> {
        let bytes = if action == IOAction::Write {
            self.expected[number * BLOCK..][..BLOCK].to_vec()
        } else {
            vec![0; BLOCK]
        };
        let offset = i64::try_from(number * BLOCK).unwrap();
        let mut event = IOEvent::new(&self.file, Buffer::from(bytes), action, offset);
        if has_callback(number) {
            event.set_callback(Check {
                expected: Arc::clone(&self.expected),
                called: Arc::clone(&self.called),
                good: Arc::clone(&self.good),
            });
        }
        event
    }

    /// After both directions were carried out and the engine was shut down.
    fn assert_all_is_well(&self, rounds: usize, what: &str) {
        let wanted = rounds * (0..BLOCKS).filter(|number| has_callback(*number)).count();
        let called = self.called.load(Ordering::SeqCst);
        assert_eq!(called, wanted, "{what}: callbacks");
        assert_eq!(self.good.load(Ordering::SeqCst), wanted, "{what}: results");
        let mut written = vec![0; BLOCKS * BLOCK];
        self.file.read_exact_at(&mut written, 0).unwrap();
        assert!(written == *self.expected, "{what}: the file");
    }
}

fn limits(seed: u64) -> MergeLimits {
    let bytes = [4096, 10_000, 64 * 1024, 512 * 1024];
    MergeLimits::from(bytes[Random::new(seed).below(bytes.len())])
}

fn send_merged(job: &Job, sender: impl EventSender<Check>, action: IOAction, seed: u64) {
    let mut submitter = MergeSubmitter::new(&job.file, sender, limits(seed), action);
    for event in job.events(action, seed) {
        submitter.add_event(event).unwrap();
    }
    // A drop sends what is left; a flush in every other round.
    if seed.is_multiple_of(2) {
        submitter.flush().unwrap();
        assert_eq!(submitter.pending(), 0);
    }
}

const DIRECTIONS: [IOAction; 2] = [IOAction::Write, IOAction::Read];

fn in_front_of_a_submitter(driver: Driver, seed: u64) {
    let job = Job::new(seed);
    for action in DIRECTIONS {
        let (tx, rx) = io_engine::channel(8);
        let ctx = IOContext::<Check, _>::new(4, rx, &IOWorkers::new(2), driver).unwrap();
        send_merged(&job, tx, action, seed);
        ctx.shutdown().unwrap();
    }
    job.assert_all_is_well(2, &format!("{driver}, Submitter, seed {seed}"));
}

fn in_front_of_a_plain_sender(driver: Driver, seed: u64) {
    let job = Job::new(seed);
    for action in DIRECTIONS {
        let (tx, rx) = bounded(8);
        let ctx = IOContext::<Check, _>::new(4, rx, &Inline, driver).unwrap();
        send_merged(&job, tx, action, seed);
        ctx.shutdown().unwrap();
    }
    job.assert_all_is_well(2, &format!("{driver}, plain sender, seed {seed}"));
}

fn inside_the_loop(driver: Driver, seed: u64) {
    let job = Job::new(seed);
    for action in DIRECTIONS {
        let (tx, rx) = io_engine::channel(BLOCKS);
        // All are queued when the context starts, so there is something to join.
        tx.send_batch(job.events(action, seed)).unwrap();
        let ctx = IOContext::builder()
            .depth(4)
            .driver(driver)
            .merge(limits(seed))
            .build(rx, &Inline)
            .unwrap();
        ctx.shutdown().unwrap();
    }
    job.assert_all_is_well(2, &format!("{driver}, inside, seed {seed}"));
}

/// Already merged ones through a loop that merges: neither may undo or repeat the other.
fn on_both_sides(driver: Driver, seed: u64) {
    let job = Job::new(seed);
    for action in DIRECTIONS {
        let (tx, rx) = bounded(64);
        let ctx = IOContext::builder()
            .depth(3)
            .driver(driver)
            .merge(limits(seed + 1))
            .build(rx, &IOWorkers::new(1))
            .unwrap();
        send_merged(&job, tx, action, seed);
        ctx.shutdown().unwrap();
    }
    job.assert_all_is_well(2, &format!("{driver}, both sides, seed {seed}"));
}

fn on_every_driver(what: &'static str, run: fn(Driver, u64)) {
    for driver in drivers() {
        within_deadline(what, move || (1..=4).for_each(|seed| run(driver, seed)));
    }
}

#[test]
fn d3_merged_in_front_of_a_submitter_every_event_gets_its_own_bytes() {
    on_every_driver("in front of a submitter", in_front_of_a_submitter);
}

#[test]
fn d3_merged_in_front_of_a_plain_sender_every_event_gets_its_own_bytes() {
    on_every_driver("in front of a plain sender", in_front_of_a_plain_sender);
}

#[test]
fn d3_merged_inside_the_loop_every_event_gets_its_own_bytes() {
    on_every_driver("inside the loop", inside_the_loop);
}

#[test]
fn d3_merged_on_both_sides_every_event_gets_its_own_bytes() {
    on_every_driver("on both sides", on_both_sides);
}

/// A run that meets the end of the file in its middle, and one that a bad descriptor ends.
#[test]
fn d3_each_event_of_a_run_has_its_own_end_of_file_and_its_own_error() {
    use machine::engine::{Engine, errno_of};
    for driver in drivers() {
        within_deadline("ends of runs", move || {
            let (tx, rx) = io_engine::channel(64);
            let builder = IOContext::builder().depth(2).driver(driver);
            let built = builder.merge(MergeLimits::default()).build(rx, &Inline);
            let mut engine = Engine::of_context(built.unwrap(), tx);
            let file = Arc::new(tempfile::tempfile().unwrap());
            file.write_all_at(&[8; 2500], 0).unwrap();
            for _ in 0..50 {
                let read = |index: i64| {
                    let buffer = vec![0; 1000].into();
                    IOEvent::new(&file, buffer, IOAction::Read, index * 1000)
                };
                // The second has no callback, and takes its share of the bytes all the same.
                let mut events: Vec<_> = (0..5).map(read).collect();
                let callbacks = [0, 2, 3, 4].into_iter().zip(0..);
                for (index, number) in callbacks {
                    let event: &mut IOEvent<_> = &mut events[index];
                    event.set_callback(engine.callback(number));
                }
                engine.submit(events);
                let lens: Vec<_> = engine
                    .collect(4)
                    .into_iter()
                    .map(|event| event.get_read_result().unwrap().len())
                    .collect();
                assert_eq!(lens, [1000, 500, 0, 0], "{driver}");

                let bad = |index: i64| {
                    let buffer = vec![0; 1000].into();
                    IOEvent::new(-1, buffer, IOAction::Write, index * 1000)
                };
                for event in engine.carry_out((0..5).map(bad).collect()) {
                    assert_eq!(errno_of(&event), Some(libc::EBADF), "{driver}");
                    assert_eq!(event.into_buffer().unwrap().len(), 1000);
                }
            }
            engine.finish();
        });
    }
}

#[test]
fn d10_what_a_merging_submitter_still_holds_is_sent_when_it_is_dropped() {
    for driver in drivers() {
        let job = Job::new(9);
        let (tx, rx) = io_engine::channel(4);
        let ctx = IOContext::<Check, _>::new(4, rx, &Inline, driver).unwrap();
        let mut submitter = MergeSubmitter::new(&job.file, tx, 1 << 20, IOAction::Write);
        for number in 0..3 {
            submitter
                .add_event(job.event(IOAction::Write, number))
                .unwrap();
        }
        assert_eq!(submitter.pending(), 3);
        drop(submitter);
        ctx.shutdown().unwrap();
        assert_eq!(job.good.load(Ordering::SeqCst), 3, "{driver}");
    }
}
