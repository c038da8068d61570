//! What does it cost to collect a batch of events and to give it out as requests?
//!
//! One element is one event of 4 KiB; a batch is 64 of them, as a loop gathers. Making and settling
//! the events is not measured.
//! - `unmerged`: the events as requests, without a merger: what is there anyway.
//! - `random`: nothing merges.
//! - `sequential`: all of a batch are one request.
//! - `streams`: 16 streams, taking turns.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{Criterion, Throughput};
use io_engine_core::{Completion, IOAction, IOEvent, Request};
use io_engine_merge::{FileFacts, MergeLimits, Merger};

const BLOCK: usize = 4096;
const BATCH: usize = 64;

fn write(content: &Bytes, block: u64) -> IOEvent<()> {
    let offset = i64::try_from(block * BLOCK as u64).expect("within a file");
    IOEvent::new(3, content.clone().into(), IOAction::Write, offset)
}

/// The blocks of a batch.
type Blocks = fn(u64) -> u64;

fn random(index: u64) -> u64 {
    index.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40
}

fn sequential(index: u64) -> u64 {
    index
}

fn streams(index: u64) -> u64 {
    (index % 16) * 1000 + index / 16
}

fn batch(content: &Bytes, blocks: Blocks) -> Vec<IOEvent<()>> {
    (0..BATCH as u64)
        .map(|index| write(content, blocks(index)))
        .collect()
}

fn settle(requests: &mut Vec<Request<()>>) {
    let (mut finished, mut again) = (Vec::new(), Vec::new());
    for request in requests.drain(..) {
        let bytes = i64::try_from(request.total_bytes()).expect("small");
        Completion::from_kernel(request, bytes).settle(&mut finished, &mut again);
    }
}

/// Measures what `take` does with a batch of events, and settles what it gives out.
fn measure(
    criterion: &mut Criterion,
    name: &str,
    blocks: Blocks,
    mut take: impl FnMut(Vec<IOEvent<()>>, &mut Vec<Request<()>>),
) {
    let content = Bytes::from(vec![0; BLOCK]);
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("64", |bencher| {
        bencher.iter_custom(|iterations| {
            let mut spent = Duration::ZERO;
            let mut requests = Vec::with_capacity(BATCH);
            for _ in 0..iterations {
                let events = batch(&content, blocks);
                let begin = Instant::now();
                take(events, &mut requests);
                spent += begin.elapsed();
                settle(black_box(&mut requests));
            }
            spent
        });
    });
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    measure(&mut criterion, "unmerged", random, |events, requests| {
        requests.extend(events.into_iter().map(Request::from));
    });
    let all: [(&str, Blocks); 3] = [
        ("random", random),
        ("sequential", sequential),
        ("streams", streams),
    ];
    for (name, blocks) in all {
        let mut merger = Merger::new(MergeLimits::default(), BATCH);
        measure(&mut criterion, name, blocks, |events, requests| {
            for event in events {
                merger.offer(event).expect("there is room");
            }
            merger.release(|_| FileFacts::UNKNOWN, |request| requests.push(request));
        });
    }
    criterion.final_summary();
}
