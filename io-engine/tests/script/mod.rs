//! Scripts for the engine on a simulated disk: bytes say what is asked for, what fails and when it
//! crashes, and a model says what may come of it.
//!
//! Each accepted event has to be called back once, each error has to be one that was provoked, each byte
//! that is read has to be one that can be there, and what was synced has to outlive every crash. The
//! fuzzer and the ordinary tests perform the same scripts.

use io_engine::sim::{Injected, SimDisk};
use io_engine::tasks::{IOAction, IOEvent};
use io_engine::{Buffer, FileHandle};

use expected::Exposure;
use step::{Injection, Invalid, Only, Order, SECTOR, Step, Steps, Transfers, When};
use told::Numbered;
use world::{World, range};

mod contents;
mod expected;
mod step;
mod told;
mod world;

/// What has come about in a script, or in several.
#[derive(Clone, Debug, Default)]
pub(crate) struct Summary {
    /// Events that were submitted.
    pub(crate) operations: u64,
    /// Callbacks that were called.
    pub(crate) finished: u64,
    /// Callbacks that got an error.
    pub(crate) failed: u64,
    /// Events that a callback has handed over.
    pub(crate) handed_over: u64,
    /// Bytes that were read and compared.
    pub(crate) verified_bytes: u64,
    /// Syncs that succeeded.
    pub(crate) synced: u64,
    /// Ends of an engine.
    pub(crate) ends: u64,
    /// Crashes of the machine.
    pub(crate) crashes: u64,
    /// Events that were given up at a deadline.
    pub(crate) given_up: u64,
    /// Faults that have struck.
    pub(crate) injected: Injected,
}

impl Summary {
    /// Adds what another script has come to.
    pub(crate) fn add(&mut self, other: &Self) {
        self.operations += other.operations;
        self.finished += other.finished;
        self.failed += other.failed;
        self.handed_over += other.handed_over;
        self.verified_bytes += other.verified_bytes;
        self.synced += other.synced;
        self.ends += other.ends;
        self.crashes += other.crashes;
        self.given_up += other.given_up;
        self.injected.add(&other.injected);
    }

    fn add_faults_of(&mut self, disk: &SimDisk) {
        self.injected.add(&disk.injected());
    }
}

/// Performs the script that `bytes` are, and panics where the engine breaks a promise.
pub(crate) fn perform(bytes: &[u8]) -> Summary {
    let mut steps = Steps::new(bytes);
    let (seed, setup) = (steps.seed(), steps.setup());
    let mut world = World::new(seed, setup);
    for step in steps {
        do_one(&mut world, step);
    }
    world.conclude()
}

/// The script in words.
pub(crate) fn told(bytes: &[u8]) -> String {
    let mut steps = Steps::new(bytes);
    let mut words = format!("seed {}, {:?}\n", steps.seed(), steps.setup());
    for step in steps {
        words.push_str(&format!("{step:?}\n"));
    }
    words
}

fn do_one(world: &mut World, step: Step) {
    match step {
        Step::Transfers(transfers) => submit(world, transfers),
        Step::Plain {
            action,
            handle,
            at,
            len,
        } => {
            let has_range = !action.is_sync() && action != IOAction::Nop;
            let range = match has_range {
                true => range(handle, at, len),
                false => 0..0,
            };
            submit_one(world, action, handle, range);
        }
        Step::Invalid(kind) if world.has_room() => world.submit_invalid(invalid(world, kind)),
        Step::Invalid(_) => {}
        Step::Run(turns) => world.run(turns),
        Step::Inject(injection) => inject(world, injection),
        Step::SetCapacity { bytes } => {
            world.may_now_happen(Exposure::to_little_space());
            world.disk().set_capacity(bytes);
        }
        Step::Heal => world.heal(),
        Step::Acknowledge { handle } => world.acknowledge(handle),
        Step::Reopen(how) => world.reopen(how),
    }
}

fn submit_one(world: &mut World, action: IOAction, handle: usize, range: std::ops::Range<usize>) {
    if world.has_room() && world.is_free(action, handle, &range) {
        let number = world.numbers(1);
        let event = world.prepare(number, (action, handle, range), None);
        world.submit(event);
    }
}

fn submit(world: &mut World, transfers: Transfers) {
    let Transfers {
        action,
        handle,
        at,
        len,
        count,
        order,
    } = transfers;
    let ranges = (0..count).map(|nth| range(handle, (at + nth * len).min(step::FILE_BYTES), len));
    let mut ranges: Vec<_> = ranges.filter(|range| !range.is_empty()).collect();
    if order == Order::Descending {
        ranges.reverse();
    }
    if order != Order::FromCallbacks {
        let each = ranges.into_iter();
        return each.for_each(|range| submit_one(world, action, handle, range));
    }
    let is_free = ranges
        .iter()
        .all(|range| world.is_free(action, handle, range));
    if !is_free || !world.has_room() {
        return;
    }
    let first = world.numbers(ranges.len());
    let mut next = None;
    for (number, range) in (first..).zip(ranges).collect::<Vec<_>>().into_iter().rev() {
        next = Some(world.prepare(number, (action, handle, range), next));
        if number > first {
            world.hold_back(number);
        }
    }
    if let Some(event) = next {
        world.submit(event);
    }
}

fn inject(world: &mut World, injection: Injection) {
    let Injection { fault, when, only } = injection;
    let rule = match when {
        When::Nth(n) => fault.nth(n),
        When::FromNth(n) => fault.from_nth(n),
        When::OneIn(n) => fault.one_in(n),
    };
    let rule = match only {
        Only::Everything => rule,
        Only::Of(action) => rule.on(action),
        Only::Handle(handle) => rule.of_file(world.handle(handle)),
    };
    world.may_now_happen(Exposure::to(fault));
    if !matches!(when, When::Nth(_)) {
        world.may_now_happen(Exposure::to_lasting_faults());
    }
    world.disk().inject(rule);
}

fn invalid(world: &World, kind: Invalid) -> IOEvent<Numbered> {
    let buffer = |len| Buffer::aligned(len).expect("memory for a sector");
    let (file, direct) = (world.handle(0), world.handle(step::DIRECT));
    let read = IOAction::Read;
    match kind {
        Invalid::EmptyBuffer => IOEvent::new(file, Vec::new().into(), IOAction::Write, 0),
        Invalid::NoBuffer => IOEvent::new_no_buf(file, read, 0, 10),
        Invalid::NegativeOffset => IOEvent::new(file, buffer(SECTOR), read, -1),
        Invalid::Overflow => IOEvent::new(file, buffer(SECTOR), read, i64::MAX),
        Invalid::MisalignedOffset => IOEvent::new(direct, buffer(SECTOR), read, 1),
        Invalid::MisalignedLength => {
            let mut half = buffer(SECTOR);
            half.set_len(SECTOR / 2).expect("within its memory");
            IOEvent::new(direct, half, IOAction::Write, 0)
        }
        Invalid::NoSuchFile => IOEvent::new(FileHandle::Raw(-1), buffer(SECTOR), read, 0),
    }
}
