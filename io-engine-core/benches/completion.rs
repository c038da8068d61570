//! What does it cost to share an answer of the kernel out over its events?
//!
//! One element is one event.
//! - `settle/lone`: one event with all its bytes, as nearly every request is.
//! - `settle/whole`: a run with all its bytes.
//! - `settle/short`: a run whose first answer ends in the middle of an event, and whose second brings
//!   the rest: two settles, and the way on in between.
//! - `deliver_all`: settling a batch of lone events and calling their callbacks.
//!
//! Making the events and, but for `deliver_all`, dropping them is not measured.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use io_engine_core::{
    Answered, Buffer, Completion, IOAction, IOCallback, IOEvent, InFlight, MergedEvents, Request,
    Serves, Ticket, deliver_all,
};

/// Small, because nobody looks at the bytes: larger ones would only drive the events out of the cache
/// while they are made.
const BLOCK: usize = 16;
const BLOCK_BYTES: i64 = 16;

const RUN_LENGTHS: [i64; 3] = [2, 16, 128];

/// Events that are settled in one measurement, however long their runs: enough that the clock costs
/// little of it, and few enough to stay in the cache.
const EVENTS: usize = 128;

/// What `deliver_all` gets at once: what one look at a busy ring brings.
const BATCH: usize = 32;

/// Batches that are delivered in one measurement.
const BATCHES: u64 = 4;

fn read(position: i64) -> IOEvent<()> {
    let buffer = Buffer::from(vec![0; BLOCK]);
    IOEvent::new(-1, buffer, IOAction::Read, position * BLOCK_BYTES)
}

fn run(length: i64) -> Request<()> {
    let merged = MergedEvents::new((0..length).map(read).collect()).expect("contiguous");
    Request::from(IOEvent::from_merged(merged))
}

/// Where completions go when they are settled, with room for all of them.
struct Settled {
    finished: Vec<IOEvent<()>>,
    again: Vec<Request<()>>,
}

impl Settled {
    fn with_room(events: usize, requests: usize) -> Self {
        Self {
            finished: Vec::with_capacity(events),
            again: Vec::with_capacity(requests),
        }
    }

    fn take(&mut self, completion: Completion<()>) {
        completion.settle(&mut self.finished, &mut self.again);
    }
}

fn lone(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("settle");
    group.throughput(Throughput::Elements(EVENTS as u64));
    let completions = || -> Vec<Completion<()>> {
        let reads = (0..EVENTS).map(|_| Request::from(read(0)));
        reads
            .map(|request| Completion::from_kernel(request, BLOCK_BYTES))
            .collect()
    };
    group.bench_function("lone", |bencher| {
        bencher.iter_batched(
            || (completions(), Settled::with_room(EVENTS, 0)),
            |(mut completions, mut settled)| {
                completions.drain(..).for_each(|one| settled.take(one));
                assert_eq!(settled.finished.len(), EVENTS);
                (completions, settled)
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

/// Settles runs whose `first` answer is so many bytes of their blocks, and whose rest comes after.
fn runs(criterion: &mut Criterion, name: &str, first: impl Fn(i64) -> i64) {
    let mut group = criterion.benchmark_group(format!("settle/{name}"));
    for length in RUN_LENGTHS {
        let (whole, first) = (length * BLOCK_BYTES, first(length));
        let count = EVENTS / usize::try_from(length).expect("a few");
        let make = || -> Vec<Completion<()>> {
            let runs = (0..count).map(|_| run(length));
            runs.map(|request| Completion::from_kernel(request, first))
                .collect()
        };
        group.throughput(Throughput::Elements(EVENTS as u64));
        group.bench_function(BenchmarkId::from_parameter(length), |bencher| {
            bencher.iter_batched(
                || (make(), Settled::with_room(EVENTS, count)),
                |(mut completions, mut settled)| {
                    for completion in completions.drain(..) {
                        settled.take(completion);
                        if let Some(rest) = settled.again.pop() {
                            settled.take(Completion::from_kernel(rest, whole - first));
                        }
                    }
                    assert_eq!(settled.finished.len(), EVENTS);
                    (completions, settled)
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn whole_runs(criterion: &mut Criterion) {
    runs(criterion, "whole", |length| length * BLOCK_BYTES);
}

fn short_runs(criterion: &mut Criterion) {
    runs(criterion, "short", |length| {
        (length - 1) * BLOCK_BYTES + BLOCK_BYTES / 2
    });
}

/// Looks at its event, which is dropped then.
struct Look;

impl IOCallback for Look {
    fn call(self, event: IOEvent<Self>) {
        black_box(event.res());
    }
}

/// Answered requests in their slots.
struct InSlots {
    slots: InFlight<Look>,
    tickets: std::vec::IntoIter<Ticket>,
}

impl Serves<Look> for InSlots {
    #[inline]
    fn next_answer(&mut self) -> Option<Answered<Look>> {
        let ticket = self.tickets.next()?;
        self.slots.answer(ticket, BLOCK_BYTES)
    }

    #[inline]
    fn take_callback(&mut self, ticket: Ticket) -> Option<Look> {
        self.slots.take_callback(ticket)
    }

    #[inline]
    fn take_whole(&mut self, ticket: Ticket) -> IOEvent<Look> {
        self.slots.take_whole(ticket)
    }

    fn settle(&mut self, completion: Completion<Look>, finished: &mut Vec<IOEvent<Look>>) {
        completion.report(finished);
    }

    fn before_callback(&mut self) {}
}

fn deliver_batch(criterion: &mut Criterion) {
    static BYTES: [u8; BLOCK] = [0; BLOCK];
    // Static bytes: to drop them frees nothing, so the allocator is not measured.
    let write = || {
        let buffer = Buffer::from(Bytes::from_static(&BYTES));
        let mut event = IOEvent::new(-1, buffer, IOAction::Write, 0);
        event.set_callback(Look);
        event
    };
    let batch = || {
        let mut slots = InFlight::with_capacity(BATCH);
        let insert = |_| {
            let inserted = slots.insert_event(write());
            inserted.expect("a slot for each").0
        };
        let tickets: Vec<_> = (0..BATCH).map(insert).collect();
        let tickets = tickets.into_iter();
        InSlots { slots, tickets }
    };
    let mut group = criterion.benchmark_group("deliver_all");
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function(BenchmarkId::from_parameter(BATCH), |bencher| {
        bencher.iter_batched(
            batch,
            |mut batch| {
                let delivered = deliver_all(&mut batch, &mut Vec::new());
                assert_eq!(delivered.called, BATCH);
                batch
            },
            BatchSize::NumIterations(BATCHES),
        );
    });
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    lone(&mut criterion);
    whole_runs(&mut criterion);
    short_runs(&mut criterion);
    deliver_batch(&mut criterion);
    criterion.final_summary();
}
