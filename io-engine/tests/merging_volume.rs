//! Very many events through files on the disk, merged and not, and every byte of them compared.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use io_engine::callback_worker::Inline;
use io_engine::merge::{MergeCounters, MergeLimits};
use io_engine::tasks::{IOAction, IOCallback, IOEvent};
use io_engine::{Buffer, Driver, EventLoop, Full, IOContext, Submitter, Wait};
use io_engine_core::conformance::Random;
use machine::disk::Disk;
use machine::{drivers, within_deadline};

mod machine;

/// Of each driver and way: with three drivers and two ways more than a million merged, and as many
/// unmerged.
const EVENTS: usize = 170_000;
const BLOCK: usize = 4096;
/// Streams that are woven together, each in a part of the file of its own.
const STREAMS: usize = 5;
/// Blocks of a stream; it begins anew when it is at its end.
const BLOCKS: usize = 400;
/// As much as this is handed over at once.
const BATCH: usize = 512;

/// The bytes of every block are a piece of these, and no two blocks that meet are the same piece.
struct Pattern(Vec<u8>);

impl Pattern {
    fn new() -> Self {
        Self(Random::new(1).bytes((1 << 20) + BLOCK))
    }

    /// What a block holds after its stream has written it for the `lap`th time.
    fn of(&self, block: usize, lap: usize) -> &[u8] {
        let begin = (block * 431 + lap * 37) % (self.0.len() - BLOCK);
        &self.0[begin..][..BLOCK]
    }
}

/// Compares right in the callback, and gives the buffer back.
struct Compare {
    block: usize,
    lap: usize,
    shared: Arc<Shared>,
}

struct Shared {
    pattern: Pattern,
    good: AtomicUsize,
    /// Buffers that are free again; never full, because there are no more than its places.
    free: crossbeam_channel::Sender<Buffer>,
}

impl IOCallback for Compare {
    fn call(self, event: IOEvent<Self>) {
        let all = event.get_result().is_ok_and(|bytes| bytes == BLOCK);
        let buffer = event.into_buffer().unwrap();
        let expected = self.shared.pattern.of(self.block, self.lap);
        assert!(all && *buffer == *expected, "another block, or none");
        self.shared.good.fetch_add(1, Ordering::Relaxed);
        self.shared.free.send(buffer).unwrap();
    }
}

/// The two ways in.
#[allow(clippy::large_enum_variant, reason = "one per test, moved once")]
enum Engine {
    Loop(EventLoop<Compare>),
    Channel(IOContext<Compare>, Submitter<Compare>),
}

const DEPTH: usize = 128;

impl Engine {
    fn in_a_loop(driver: Driver, merges: bool) -> Self {
        // As many as there are events in a batch: they are what its depth counts.
        let mut builder = EventLoop::builder().depth(BATCH).driver(driver);
        if merges {
            builder = builder.merge(MergeLimits::default());
        }
        Self::Loop(builder.build().unwrap())
    }

    fn with_a_channel(driver: Driver, merges: bool) -> Self {
        let (tx, rx) = io_engine::channel(BATCH);
        let mut builder = IOContext::builder().depth(DEPTH).driver(driver);
        if merges {
            builder = builder.merge(MergeLimits::default());
        }
        Self::Channel(builder.build(rx, &Inline).unwrap(), tx)
    }

    fn submit(&mut self, mut event: IOEvent<Compare>) {
        match self {
            Self::Channel(_, tx) => tx.send(event).unwrap(),
            Self::Loop(engine) => {
                while let Err(Full(refused)) = engine.submit(event) {
                    event = refused;
                    engine.run(Wait::For(1)).unwrap();
                }
            }
        }
    }

    /// Waits for `called` callbacks in all.
    fn wait_for(&mut self, called: usize, shared: &Shared) {
        while shared.good.load(Ordering::Relaxed) < called {
            match self {
                Self::Channel(..) => std::thread::yield_now(),
                Self::Loop(engine) => drop(engine.run(Wait::For(1)).unwrap()),
            }
        }
    }

    fn finish(self) -> Option<MergeCounters> {
        match self {
            Self::Loop(engine) => engine.merge_counters(),
            Self::Channel(ctx, tx) => {
                let counters = ctx.merge_counters();
                ctx.shutdown().unwrap();
                drop(tx);
                counters
            }
        }
    }
}

/// All blocks of all streams are written, then read, then written anew, until it is enough. Returns
/// what was merged.
fn carry_out(mut engine: Engine, what: &str) -> Option<MergeCounters> {
    let disk = Disk::new();
    let file = disk.file("blocks", &[]);
    let places = STREAMS * BLOCKS;
    let (free, buffers) = crossbeam_channel::bounded(places);
    for _ in 0..places {
        free.send(Buffer::aligned(BLOCK).unwrap()).unwrap();
    }
    let shared = Arc::new(Shared {
        pattern: Pattern::new(),
        good: AtomicUsize::new(0),
        free,
    });
    let mut submitted = 0;
    for lap in 0.. {
        for action in [IOAction::Write, IOAction::Read] {
            for index in 0..places {
                // One of each stream in turn, each in order.
                let block = index % STREAMS * BLOCKS + index / STREAMS;
                let mut buffer = buffers.recv().unwrap();
                if action == IOAction::Write {
                    buffer.copy_from_slice(shared.pattern.of(block, lap));
                } else {
                    buffer.fill(0);
                }
                let offset = i64::try_from(block * BLOCK).unwrap();
                let mut event = IOEvent::new(&file, buffer, action, offset);
                let shared = Arc::clone(&shared);
                event.set_callback(Compare { block, lap, shared });
                engine.submit(event);
                submitted += 1;
            }
            // What reads, and what writes anew, waits for what it meets.
            engine.wait_for(submitted, &shared);
        }
        if submitted >= EVENTS {
            break;
        }
    }
    let counters = engine.finish();
    assert_eq!(shared.good.load(Ordering::Relaxed), submitted, "{what}");
    let counted = counters.map(|counters| (counters.events, counters.bytes));
    let all = (submitted as u64, (submitted * BLOCK) as u64);
    assert!(
        counted.is_none_or(|counted| counted == all),
        "{what}: {counters:?}"
    );
    counters
}

fn on_every_driver(way: &'static str, engine: fn(Driver, bool) -> Engine) {
    for driver in drivers() {
        within_deadline(way, move || {
            let what = format!("{driver}, {way}");
            assert_eq!(carry_out(engine(driver, false), &what), None);
            let merged = carry_out(engine(driver, true), &what);
            let counters = merged.expect("it merges");
            assert_eq!(counters.bytes_copied, 0, "{what}");
            assert!(
                counters.requests * 4 < counters.events,
                "{what}: {counters:?}"
            );
        });
    }
}

#[test]
fn hundred_thousands_through_a_loop_are_right_to_the_byte() {
    on_every_driver("loop", Engine::in_a_loop);
}

#[test]
fn hundred_thousands_through_a_context_are_right_to_the_byte() {
    on_every_driver("context", Engine::with_a_channel);
}
