//! What does it cost to decide which events of a batch travel together?
//!
//! One element is one event of 4 KiB.
//! - `random`: reads at random places of one file. Nothing merges; this is what merging costs where
//!   it brings nothing.
//! - `random_files`: the same, of 16 files.
//! - `sequential`: one stream of writes.
//! - `streams`: as many streams as the number says, each in a place of its own, taking turns; four
//!   events of each.
//! - `shuffled`: one stream, out of order.
//! - `rewrites`: a log that writes its last block again each time: hazards all the way.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use io_engine_merge::{Fact, FactKind, FileFacts, MergeLimits, Planner};

const BLOCK: u64 = 4096;
/// Blocks of a file of 256 GiB.
const FILE_BLOCKS: u64 = 64 << 20;
const BATCHES: [usize; 3] = [16, 64, 256];
/// Plans with different places, so that the branch predictor cannot learn one by heart.
const VARIANTS: usize = 64;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

fn fact(file: u32, kind: FactKind, block: u64) -> Fact {
    let start = block * BLOCK;
    let end = start + BLOCK;
    Fact {
        file,
        kind,
        start,
        end,
    }
}

/// How to make a batch of so many events.
type Maker = fn(&mut Random, u64) -> Vec<Fact>;

fn random(random: &mut Random, events: u64) -> Vec<Fact> {
    let read = |_| fact(3, FactKind::Read, random.below(FILE_BLOCKS));
    (0..events).map(read).collect()
}

fn random_files(random: &mut Random, events: u64) -> Vec<Fact> {
    let file = |index| u32::try_from(index % 16).expect("below 16");
    let read = |index| fact(file(index), FactKind::Read, random.below(FILE_BLOCKS));
    (0..events).map(read).collect()
}

fn sequential(random: &mut Random, events: u64) -> Vec<Fact> {
    let begin = random.below(FILE_BLOCKS);
    let write = |index| fact(3, FactKind::Write, begin + index);
    (0..events).map(write).collect()
}

fn streams(random: &mut Random, count: u64) -> Vec<Fact> {
    let begin = random.below(FILE_BLOCKS);
    let write = |index| {
        let block = begin + (index % count) * 1000 + index / count;
        fact(3, FactKind::Write, block)
    };
    (0..count * 4).map(write).collect()
}

fn shuffled(random: &mut Random, events: u64) -> Vec<Fact> {
    let mut facts = sequential(random, events);
    for at in (1..facts.len()).rev() {
        let other = random.below(at as u64 + 1);
        facts.swap(at, usize::try_from(other).expect("an index"));
    }
    facts
}

fn rewrites(random: &mut Random, events: u64) -> Vec<Fact> {
    let begin = random.below(FILE_BLOCKS);
    let write = |index| fact(3, FactKind::Write, begin + index / 2);
    (0..events).map(write).collect()
}

fn benches(criterion: &mut Criterion) {
    let makers: [(&str, Maker); 6] = [
        ("random", random),
        ("random_files", random_files),
        ("sequential", sequential),
        ("streams", streams),
        ("shuffled", shuffled),
        ("rewrites", rewrites),
    ];
    for (name, make) in makers {
        let mut group = criterion.benchmark_group(name);
        for events in BATCHES {
            let mut source = Random(7);
            let batches: Vec<Vec<Fact>> = (0..VARIANTS)
                .map(|_| make(&mut source, events as u64))
                .collect();
            let all: usize = batches.iter().map(Vec::len).sum();
            group.throughput(Throughput::Elements(all as u64));
            group.bench_with_input(
                BenchmarkId::from_parameter(events),
                &batches,
                |bencher, all| {
                    let mut planner = Planner::new(MergeLimits::default());
                    bencher.iter(|| {
                        for facts in all {
                            let plan = planner.plan(black_box(facts), |_| FileFacts::UNKNOWN);
                            for request in plan.requests() {
                                black_box(request.first());
                            }
                        }
                    });
                },
            );
        }
        group.finish();
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    benches(&mut criterion);
    criterion.final_summary();
}
