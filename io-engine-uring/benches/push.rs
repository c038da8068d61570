//! What does it cost to put a request into the ring?
//!
//! Measured is `push` alone: a slot of the slab, the checks, the entry that the kernel reads, and the
//! copy of the request from where it was kept. What follows, sending all of it and waiting for the
//! answers, is not. The reads are of the zero device,
//! which needs no disk. One element is one event.
//! - `nop`: an entry without memory; what the way into the ring costs at least.
//! - `read`: a lone read.
//! - `run/n`: a run of n reads, one entry with n segments.

use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use io_engine_core::conformance::require_or_skip;
use io_engine_uring::{
    Backend, Buffer, Completion, IOAction, IOEvent, MergedEvents, Request, UringBackend,
    UringSettings, Wait,
};

/// Requests that are pushed in one measurement: a whole ring.
const DEPTH: usize = 128;

const BLOCK: usize = 512;
const BLOCK_BYTES: i64 = 512;

const RUN_LENGTHS: [i64; 2] = [2, 16];

/// A ring, and as many requests as it takes. They come back with their answers and are pushed again.
struct Bench {
    ring: UringBackend<()>,
    requests: Vec<Request<()>>,
    done: Vec<Completion<()>>,
}

impl Bench {
    fn new(ring: UringBackend<()>, request: impl Fn() -> Request<()>) -> Self {
        Self {
            ring,
            requests: (0..DEPTH).map(|_| request()).collect(),
            done: Vec::with_capacity(DEPTH),
        }
    }

    /// Fills the ring; says how long that took.
    fn fill(&mut self) -> Duration {
        let began = Instant::now();
        for request in self.requests.drain(..) {
            self.ring.push(request).expect("the ring has room for all");
        }
        began.elapsed()
    }

    fn empty(&mut self) {
        while self.ring.in_flight() > 0 {
            self.ring
                .drive(Wait::For(DEPTH), &mut self.done)
                .expect("the ring works");
        }
        let answered = self.done.drain(..).map(Completion::into_request);
        self.requests.extend(answered);
        assert_eq!(self.requests.len(), DEPTH);
    }
}

fn nop() -> Request<()> {
    Request::from(IOEvent::nop())
}

fn read(file: &Arc<File>, position: i64) -> IOEvent<()> {
    let buffer = Buffer::from(vec![0; BLOCK]);
    IOEvent::new(file, buffer, IOAction::Read, position * BLOCK_BYTES)
}

fn run(file: &Arc<File>, length: i64) -> Request<()> {
    let reads = (0..length).map(|position| read(file, position));
    let merged = MergedEvents::new(reads.collect()).expect("contiguous");
    Request::from(IOEvent::from_merged(merged))
}

/// Measures pushing what `request` makes; without a ring on this machine it says so.
fn bench(criterion: &mut Criterion, id: BenchmarkId, request: impl Fn() -> Request<()>) {
    let ring = match UringBackend::new(UringSettings::with_depth(DEPTH)) {
        Ok(ring) => ring,
        Err(reason) => return require_or_skip("uring", &reason),
    };
    let mut bench = Bench::new(ring, request);
    let events: usize = bench.requests.iter().map(Request::event_count).sum();
    let mut group = criterion.benchmark_group("push");
    group.throughput(Throughput::Elements(events as u64));
    group.bench_function(id, |bencher| {
        bencher.iter_custom(|rounds| {
            let mut pushing = Duration::ZERO;
            for _ in 0..rounds {
                pushing += bench.fill();
                bench.empty();
            }
            pushing
        });
    });
    group.finish();
}

fn pushes(criterion: &mut Criterion) {
    let zeroes = Arc::new(File::open("/dev/zero").expect("the zero device"));
    bench(criterion, BenchmarkId::from_parameter("nop"), nop);
    bench(criterion, BenchmarkId::from_parameter("read"), || {
        Request::from(read(&zeroes, 0))
    });
    for length in RUN_LENGTHS {
        bench(criterion, BenchmarkId::new("run", length), || {
            run(&zeroes, length)
        });
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    pushes(&mut criterion);
    criterion.final_summary();
}
