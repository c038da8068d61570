//! What does it cost to take a request into the slab and out again, and does the depth matter?
//!
//! One element is one `remove` and one `insert` of the same request: two copies of it, and two looks
//! at the list of free slots.
//! - `lone`: one request comes and goes. The slot that was used last is used next, so all but one of
//!   the slots stay cold, and the depth should not matter.
//! - `newest_first`: the slab is full; what went in last comes out first.
//! - `shuffled`: the slab is full, and the kernel answers in any order. What this costs more at depth
//!   4096 is the cache: the requests are larger than its first level by then.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use io_engine_core::{IOEvent, InFlight, Request, Ticket};

const DEPTHS: [usize; 3] = [1, 128, 4096];

/// With fewer there is no order.
const FULL_DEPTHS: [usize; 2] = [128, 4096];

fn insert(slab: &mut InFlight<()>, request: Request<()>) -> Ticket {
    let (ticket, _) = slab.insert(request).expect("a slot is free");
    ticket
}

fn lone(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("slab/lone");
    group.throughput(Throughput::Elements(1));
    for depth in DEPTHS {
        let mut slab = InFlight::with_capacity(depth);
        let mut ticket = insert(&mut slab, Request::from(IOEvent::nop()));
        group.bench_function(BenchmarkId::from_parameter(depth), |bencher| {
            bencher.iter(|| {
                let request = slab.remove(black_box(ticket));
                ticket = insert(&mut slab, request);
            });
        });
    }
    group.finish();
}

/// Goes through a full slab in `order`: each request that comes out goes in again.
fn full(criterion: &mut Criterion, name: &str, order: impl Fn(usize) -> Vec<usize>) {
    let mut group = criterion.benchmark_group(format!("slab/{name}"));
    for depth in FULL_DEPTHS {
        let mut slab = InFlight::with_capacity(depth);
        let mut tickets: Vec<Ticket> = (0..depth)
            .map(|_| insert(&mut slab, Request::from(IOEvent::nop())))
            .collect();
        let order = order(depth);
        group.throughput(Throughput::Elements(depth as u64));
        group.bench_function(BenchmarkId::from_parameter(depth), |bencher| {
            bencher.iter(|| {
                for &position in &order {
                    let request = slab.remove(tickets[position]);
                    tickets[position] = insert(&mut slab, request);
                }
            });
        });
    }
    group.finish();
}

fn newest_first(criterion: &mut Criterion) {
    full(criterion, "newest_first", |depth| {
        (0..depth).rev().collect()
    });
}

fn shuffled(criterion: &mut Criterion) {
    full(criterion, "shuffled", |depth| {
        // The same in each run: this hasher has no seed.
        let hasher = BuildHasherDefault::<DefaultHasher>::default();
        let mut order: Vec<usize> = (0..depth).collect();
        order.sort_by_key(|position| hasher.hash_one(position));
        order
    });
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    lone(&mut criterion);
    newest_first(&mut criterion);
    shuffled(&mut criterion);
    criterion.final_summary();
}
