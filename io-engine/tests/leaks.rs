//! Ten thousand engines come and go in every way there is, and nothing of them stays.
//!
//! One test, in a program of its own: it counts what the whole process has.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::fmt::Debug;
use std::fs::File;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use io_engine::callback_worker::{CallbackWorker, IOWorkers, Inline};
use io_engine::tasks::{ClosureCb, IOAction, IOEvent};
use io_engine::{Buffer, Driver, EventLoop, IOContext, Wait};
use machine::allocator::Counting;
use machine::disk::Disk;
use machine::{DEADLINE, drivers};

mod machine;

#[global_allocator]
static ALLOCATOR: Counting = Counting::new();

/// Over all drivers and kinds.
const CONTEXTS: usize = 10_000;
/// Until everything has been used once: thread stacks, arenas, lazily made statics.
const WARM_UP: usize = 400;
/// For all of it, on two busy cores.
const TIME_MAX: Duration = Duration::from_secs(60);
const DEPTH: usize = 16;

/// Events that were accepted, and callbacks that were called.
#[derive(Clone, Default)]
struct Balance {
    accepted: Arc<AtomicUsize>,
    called: Arc<AtomicUsize>,
}

impl Balance {
    /// An event whose second callback would be a panic: the flag is moved into the closure.
    fn event(&self, file: &Arc<File>) -> IOEvent<ClosureCb> {
        self.event_that(file, || ())
    }

    fn event_that(
        &self,
        file: &Arc<File>,
        then: impl FnOnce() + Send + 'static,
    ) -> IOEvent<ClosureCb> {
        let buffer = Buffer::aligned(4096).unwrap();
        let mut event = IOEvent::new(file, buffer, IOAction::Read, 0);
        let called = Arc::clone(&self.called);
        event.set_callback(ClosureCb::new(move |_| {
            then();
            called.fetch_add(1, Ordering::SeqCst);
        }));
        self.accepted.fetch_add(1, Ordering::SeqCst);
        event
    }

    fn is_even(&self) -> bool {
        self.accepted.load(Ordering::SeqCst) == self.called.load(Ordering::SeqCst)
    }
}

fn eventually<T: Debug>(what: &str, look: impl Fn() -> T, is_right: impl Fn(&T) -> bool) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let seen = look();
        if is_right(&seen) {
            return;
        }
        assert!(Instant::now() < deadline, "{what}: {seen:?}");
        std::thread::yield_now();
    }
}

fn entries(folder: &str) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

/// The rings of AIO contexts, which lie in the address space of their process.
fn aio_rings() -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().filter(|line| line.contains("/[aio]")).count()
}

/// What all processes of the machine have of AIO.
fn aio_nr() -> usize {
    let text = std::fs::read_to_string("/proc/sys/fs/aio-nr").unwrap();
    text.trim().parse().unwrap()
}

fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap()
}

/// Whose turn it is. The end of an AIO context takes the kernel some 30 ms, a grace period of RCU,
/// so it has few.
fn turns() -> Vec<Driver> {
    let usable = drivers();
    let quick = usable.iter().filter(|driver| **driver != Driver::Aio);
    let mut turns: Vec<_> = quick.copied().cycle().take(39).collect();
    turns.extend(usable.contains(&Driver::Aio).then_some(Driver::Aio));
    turns
}

/// Waits where other processes have taken the machine's budget of AIO for the moment. What this
/// process keeps of it is found at the end, by its rings.
fn await_aio_budget(driver: Driver) {
    let try_out = || match EventLoop::<()>::new(DEPTH, driver) {
        Ok(_) => None,
        Err(error) => Some(error.to_string()),
    };
    if driver == Driver::Aio {
        eventually(
            "the budget of AIO",
            try_out,
            |refused| !matches!(refused, Some(text) if text.contains("fs.aio-max-nr")),
        );
    }
}

struct Rig {
    file: Arc<File>,
    pool: IOWorkers,
    balance: Balance,
}

impl Rig {
    /// Every third one is dropped with work in flight, every third with all done, every third
    /// unused.
    fn events(&self, round: usize) -> usize {
        [5, 1, 0][round % 3]
    }

    fn with_channel(&self, driver: Driver, round: usize, workers: &impl CallbackWorker<ClosureCb>) {
        let (tx, rx) = io_engine::channel(8);
        let ctx = IOContext::new(DEPTH, rx, workers, driver).unwrap();
        for _ in 0..self.events(round) {
            tx.send(self.balance.event(&self.file)).unwrap();
        }
        match round % 4 {
            0 => ctx.shutdown().unwrap(),
            1 => drop((tx, ctx)),
            2 => {
                // The sender outlives the context, and a clone of it.
                let other = tx.clone();
                drop(ctx);
                drop((other, tx));
            }
            _ => {
                drop(tx);
                drop(ctx);
            }
        }
    }

    fn with_plain_channel(&self, driver: Driver, round: usize) {
        let (tx, rx) = crossbeam_channel::bounded(8);
        let ctx = IOContext::new(DEPTH, rx, &Inline, driver).unwrap();
        for _ in 0..self.events(round) {
            tx.send(self.balance.event(&self.file)).unwrap();
        }
        if round.is_multiple_of(2) {
            drop(ctx);
        } else {
            drop(tx);
        }
    }

    fn with_loop(&self, driver: Driver, round: usize) {
        let mut engine = EventLoop::new(DEPTH, driver).unwrap();
        for _ in 0..self.events(round) {
            engine.submit(self.balance.event(&self.file)).unwrap();
        }
        if round.is_multiple_of(2) {
            engine.run(Wait::Never).unwrap();
        }
    }

    fn that_is_dropped_in_its_callback(&self, driver: Driver, round: usize) {
        let (tx, rx) = io_engine::channel(8);
        let ctx = if round.is_multiple_of(2) {
            IOContext::new(DEPTH, rx, &Inline, driver)
        } else {
            IOContext::new(DEPTH, rx, &self.pool, driver)
        };
        let slot = Arc::new(Mutex::new(Some(ctx.unwrap())));
        let inside = Arc::clone(&slot);
        let (tell, told) = crossbeam_channel::bounded(1);
        let event = self.balance.event_that(&self.file, move || {
            drop(inside.lock().unwrap().take());
            tell.send(()).unwrap();
        });
        tx.send(event).unwrap();
        told.recv_timeout(DEADLINE).unwrap();
    }

    fn that_fails_to_start(&self, driver: Driver, round: usize) {
        // Of its own: a callback of an earlier one may be on its way still.
        let balance = Balance::default();
        let event = balance.event(&self.file);
        if round.is_multiple_of(2) {
            let (tx, rx) = io_engine::channel(8);
            tx.send(event).unwrap();
            IOContext::<ClosureCb, _>::new(0, rx, &self.pool, driver).unwrap_err();
        } else {
            let (tx, rx) = crossbeam_channel::bounded(8);
            tx.send(event).unwrap();
            IOContext::<ClosureCb, _>::new(1 << 17, rx, &Inline, driver).unwrap_err();
        }
        assert!(balance.is_even());
    }

    /// One context, of the kind whose turn it is.
    fn come_and_go(&self, driver: Driver, round: usize) {
        await_aio_budget(driver);
        match round % 16 {
            0..=4 => self.with_channel(driver, round, &Inline),
            5..=7 => self.with_channel(driver, round, &self.pool),
            8 => self.with_channel(driver, round, &IOWorkers::new(2)),
            9 | 10 => self.with_plain_channel(driver, round),
            11..=13 => self.with_loop(driver, round),
            14 => self.that_is_dropped_in_its_callback(driver, round / 16),
            _ => self.that_fails_to_start(driver, round / 16),
        }
    }

    fn come_and_go_often(&self, rounds: std::ops::Range<usize>) {
        let turns = turns();
        for round in rounds {
            self.come_and_go(turns[round % turns.len()], round / turns.len());
        }
        eventually("callbacks", || self.balance.is_even(), |even| *even);
    }
}

#[test]
fn d20_ten_thousand_contexts_leave_no_thread_no_descriptor_no_memory_and_no_event_behind() {
    let disk = Disk::new();
    let buffered = disk.file("file", &[1; 4096]);
    let rig = Rig {
        // Direct, so that there is something in flight.
        file: disk.direct("file").map_or(buffered, |(file, _)| file),
        pool: IOWorkers::new(2),
        balance: Balance::default(),
    };
    let threads = entries("/proc/self/task");
    let descriptors = entries("/proc/self/fd");
    let system_aio = aio_nr();
    let start = Instant::now();
    rig.come_and_go_often(0..WARM_UP);
    eventually(
        "threads",
        || entries("/proc/self/task"),
        |now| *now <= threads,
    );
    let (live, resident) = (ALLOCATOR.live(), resident_kib());

    rig.come_and_go_often(WARM_UP..CONTEXTS);
    eventually(
        "threads",
        || entries("/proc/self/task"),
        |now| *now <= threads,
    );
    eventually(
        "descriptors",
        || entries("/proc/self/fd"),
        |now| *now == descriptors,
    );
    eventually("AIO rings", aio_rings, |now| *now == 0);
    // The budget of the machine, of which others take and give; ours would be far more.
    eventually("fs.aio-nr", aio_nr, |now| *now < system_aio + 8192);
    eventually("allocations", || ALLOCATOR.live(), |now| *now <= live + 50);
    let grown = resident_kib().saturating_sub(resident);
    assert!(grown < 16 * 1024, "{grown} KiB of memory stay");
    assert!(rig.balance.called.load(Ordering::SeqCst) > CONTEXTS);
    let took = start.elapsed();
    assert!(took < TIME_MAX, "{took:?}");
}
