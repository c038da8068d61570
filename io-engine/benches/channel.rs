//! What does it cost to hand events to a loop on another thread, awake or asleep?
//!
//! The events do nothing (`IOAction::Nop`), but they do go through the driver: their way through it is
//! part of a round trip. One element is one event.
//! - `round_trip`: from the first `send` of a batch until the last callback has been called.
//! - `send`: what the sender spends on a batch, event by event.
//! - `send_batch`: the same in one call.
//! - `no_channel`: the batch through an `EventLoop` on the same thread. What `round_trip` takes more is
//!   the price of the second thread.
//!
//! An awake loop spins for events. A sleeping one is rung by the first event of a batch, and by a later
//! one if it is faster than the sender and sleeps again; the next batch waits until it is asleep.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{fs, hint, thread};

use criterion::{BenchmarkId, Criterion, Throughput};
use io_engine::callback_worker::Inline;
use io_engine::tasks::{IOCallback, IOEvent};
use io_engine::{Driver, EventLoop, IOContext, Idle, Submitter, Wait};

const BATCHES: [usize; 3] = [1, 32, 128];
const DEPTH: usize = 128;

/// Longer than anything here takes, so the loop never sleeps.
const AWAKE: Idle = Idle::Spin(Duration::from_secs(10));

/// Looks at the callbacks before the processor is given to somebody else.
const SPINS: u32 = 10_000;

const WAIT_MAX: Duration = Duration::from_secs(10);

/// Callbacks called so far, by one loop at a time.
static CALLED: AtomicU64 = AtomicU64::new(0);

/// Whether an event has failed. Not a panic of the callback: the engine would catch it.
static FAILED: AtomicBool = AtomicBool::new(false);

/// A callback that only counts.
struct Count;

impl IOCallback for Count {
    fn call(self, event: IOEvent<Self>) {
        if event.res() != 0 {
            FAILED.store(true, Ordering::Relaxed);
        }
        CALLED.fetch_add(1, Ordering::Release);
    }
}

fn nops(count: usize) -> Vec<IOEvent<Count>> {
    let nop = |_| {
        let mut event = IOEvent::nop();
        event.set_callback(Count);
        event
    };
    (0..count).map(nop).collect()
}

fn called() -> u64 {
    CALLED.load(Ordering::Acquire)
}

fn wait_for_calls(target: u64) {
    let look = |_| {
        hint::spin_loop();
        called() >= target
    };
    wait_for("the callbacks", || (0..SPINS).any(look));
}

/// Looks until it is so. The benches run as tests too, where a hang is to be a failure.
fn wait_for(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < WAIT_MAX, "waited {WAIT_MAX:?} for {what}");
        thread::yield_now();
    }
}

/// What the kernel says about the loop's thread.
fn loop_sleeps() -> bool {
    let mut threads = fs::read_dir("/proc/self/task").expect("procfs").flatten();
    threads.any(|thread| {
        // A thread may end while it is looked at.
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        stat.contains("(io-engine-loop) S ")
    })
}

/// Hands a batch over.
type HandOver = fn(&Submitter<Count>, Vec<IOEvent<Count>>);

fn one_by_one(tx: &Submitter<Count>, events: Vec<IOEvent<Count>>) {
    for event in events {
        tx.send(event).expect("the context is there");
    }
}

fn at_once(tx: &Submitter<Count>, events: Vec<IOEvent<Count>>) {
    tx.send_batch(events).expect("the context is there");
}

#[derive(Clone, Copy)]
enum Until {
    HandedOver,
    Answered,
}

fn round(tx: &Submitter<Count>, batch: usize, hand_over: HandOver, until: Until) -> Duration {
    let (events, target) = (nops(batch), called() + batch as u64);
    let began = Instant::now();
    hand_over(tx, events);
    let handed_over = began.elapsed();
    wait_for_calls(target);
    match until {
        Until::HandedOver => handed_over,
        Until::Answered => began.elapsed(),
    }
}

fn with_a_loop(criterion: &mut Criterion, name: &str, idle: Idle) {
    let (tx, rx) = io_engine::channel(DEPTH);
    let context = IOContext::builder()
        .depth(DEPTH)
        .idle(idle)
        .build(rx, &Inline)
        .expect("a driver that works");
    let measured: [(&str, HandOver, Until); 3] = [
        ("round_trip", at_once, Until::Answered),
        ("send", one_by_one, Until::HandedOver),
        ("send_batch", at_once, Until::HandedOver),
    ];
    for (what, hand_over, until) in measured {
        let mut group = criterion.benchmark_group(format!("channel/{name}/{what}"));
        for batch in BATCHES {
            let one_round = |_| {
                if idle == Idle::Park {
                    wait_for("the loop to sleep", loop_sleeps);
                }
                round(&tx, batch, hand_over, until)
            };
            group.throughput(Throughput::Elements(batch as u64));
            group.bench_function(BenchmarkId::from_parameter(batch), |bencher| {
                bencher.iter_custom(|times| (0..times).map(one_round).sum());
            });
        }
        group.finish();
    }
    context.shutdown().expect("the loop ends well");
    assert!(!FAILED.load(Ordering::Relaxed), "a nop failed");
}

fn awake(criterion: &mut Criterion) {
    with_a_loop(criterion, "awake", AWAKE);
}

fn asleep(criterion: &mut Criterion) {
    with_a_loop(criterion, "asleep", Idle::Park);
}

fn no_channel(criterion: &mut Criterion) {
    let mut engine = EventLoop::new(DEPTH, Driver::Auto).expect("a driver that works");
    let mut group = criterion.benchmark_group("channel/no_channel");
    for batch in BATCHES {
        group.throughput(Throughput::Elements(batch as u64));
        group.bench_function(BenchmarkId::from_parameter(batch), |bencher| {
            bencher.iter_custom(|times| {
                let mut taken = Duration::ZERO;
                for _ in 0..times {
                    let (events, target) = (nops(batch), called() + batch as u64);
                    let began = Instant::now();
                    for event in events {
                        engine.submit(event).expect("there is room");
                    }
                    while called() < target {
                        engine.run(Wait::For(batch)).expect("the queue works");
                    }
                    taken += began.elapsed();
                }
                taken
            });
        });
    }
    group.finish();
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    no_channel(&mut criterion);
    awake(&mut criterion);
    asleep(&mut criterion);
    criterion.final_summary();
}
