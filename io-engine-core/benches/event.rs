//! What does it cost to make an event and to move it, and what does its size have to do with it?
//!
//! An event travels by value: from the caller into a queue, into the slab, and back. One element is
//! one event; each id ends in the size of the event, without a callback and with one of 32 bytes.
//! - `create`: made in its place in a vector, with buffer and callback; dropping it is not measured.
//! - `vec`: taken from the end of one vector and put at the end of another.
//! - `deque`: taken from the front of a queue and put at its back.

use std::collections::VecDeque;
use std::hint::black_box;

use bytes::Bytes;
use criterion::{
    BatchSize, BenchmarkGroup, BenchmarkId, Criterion, Throughput, measurement::WallTime,
};
use io_engine_core::{Buffer, IOAction, IOCallback, IOEvent};

/// Events that are moved in one measurement: about as many as a busy disk has in flight.
const EVENTS: usize = 128;

/// A callback that carries some state of its caller along.
#[derive(Clone, Copy)]
struct Carrying([u64; 4]);

const _: () = assert!(size_of::<Carrying>() == 32);

impl IOCallback for Carrying {
    fn call(self, event: IOEvent<Self>) {
        black_box((self.0, event.res()));
    }
}

fn write<C: IOCallback>(callback: C, offset: i64) -> IOEvent<C> {
    static BYTES: [u8; 4096] = [0; 4096];
    // Static bytes: the buffer costs no allocation.
    let buffer = Buffer::from(Bytes::from_static(&BYTES));
    let mut event = IOEvent::new(-1, buffer, IOAction::Write, offset);
    event.set_callback(callback);
    event
}

fn writes<C: IOCallback + Copy>(callback: C) -> impl Iterator<Item = IOEvent<C>> {
    (0..)
        .take(EVENTS)
        .map(move |offset| write(callback, offset))
}

fn create<C: IOCallback + Copy>(group: &mut BenchmarkGroup<'_, WallTime>, callback: C) {
    group.bench_function(id::<C>("create"), |bencher| {
        bencher.iter_batched(
            || Vec::with_capacity(EVENTS),
            |mut events| {
                events.extend(writes(black_box(callback)));
                events
            },
            BatchSize::PerIteration,
        );
    });
}

fn move_between_vecs<C: IOCallback + Copy>(group: &mut BenchmarkGroup<'_, WallTime>, callback: C) {
    let mut from: Vec<IOEvent<C>> = writes(callback).collect();
    let mut to = Vec::with_capacity(EVENTS);
    group.bench_function(id::<C>("vec"), |bencher| {
        bencher.iter(|| {
            while let Some(event) = from.pop() {
                to.push(event);
            }
            std::mem::swap(&mut from, &mut to);
            black_box(&mut from);
        });
    });
}

fn move_through_a_deque<C: IOCallback + Copy>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    callback: C,
) {
    // With some room: the places wrap around, and no event goes back to where it was.
    let mut queue = VecDeque::with_capacity(EVENTS + 1);
    queue.extend(writes(callback));
    group.bench_function(id::<C>("deque"), |bencher| {
        bencher.iter(|| {
            for _ in 0..EVENTS {
                if let Some(event) = queue.pop_front() {
                    queue.push_back(event);
                }
            }
            black_box(&mut queue);
        });
    });
}

fn id<C: IOCallback>(what: &str) -> BenchmarkId {
    let size = size_of::<IOEvent<C>>();
    BenchmarkId::new(what, format_args!("{size}_bytes"))
}

fn events<C: IOCallback + Copy>(criterion: &mut Criterion, callback: C) {
    let mut group = criterion.benchmark_group("event");
    group.throughput(Throughput::Elements(EVENTS as u64));
    create(&mut group, callback);
    move_between_vecs(&mut group, callback);
    move_through_a_deque(&mut group, callback);
    group.finish();
}

fn without_state(criterion: &mut Criterion) {
    events(criterion, ());
}

fn with_state(criterion: &mut Criterion) {
    events(criterion, Carrying([7; 4]));
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    without_state(&mut criterion);
    with_state(&mut criterion);
    criterion.final_summary();
}
