//! Random work on a simulated disk that fails all the time, against a model of its files; then the disk
//! is healed, and everything has to finish and to be as the model says.
//!
//! `SIM_SEED=n` runs one seed. `SIM_SEEDS=n` runs so many instead of the quick share.
#![cfg(all(feature = "sim", feature = "merge"))]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use io_engine::merge::MergeLimits;
use io_engine::sim::{Dice, Fault, Injected, SimDisk, SimFile, for_each_seed};
use io_engine::tasks::{IOAction, IOEvent};
use io_engine::{Buffer, EventLoop, ShortTransfers, Wait};
use io_engine_core::conformance::{FileLength, FileModel};
use numbered::{Log, Numbered};
use watchdog::Watchdog;

mod checks;
mod numbered;
#[path = "../watchdog/mod.rs"]
mod watchdog;

const OPERATIONS: u64 = if cfg!(miri) { 60 } else { 500 };
const FILE_BYTES: usize = if cfg!(miri) { 4 } else { 64 } * 1024;
const TRANSFER_BYTES_MAX: usize = if cfg!(miri) { 512 } else { 2048 };
const SECTOR: usize = 512;
/// Which of the files is open for direct I/O.
const DIRECT: usize = 2;

/// How often any of these strikes, one in so many requests, is up to the seed.
const FAULTS: [Fault; 12] = [
    Fault::Short,
    Fault::Nothing,
    Fault::Io,
    Fault::NoSpace,
    Fault::Quota,
    Fault::Cancelled,
    Fault::Again,
    Fault::Interrupted,
    Fault::Delay,
    Fault::Prefix,
    Fault::Busy,
    Fault::Rejected,
];

/// The errors that reach callbacks, with the fault behind each.
const ERRORS: [(i32, Fault); 4] = [
    (libc::EIO, Fault::Io),
    (libc::ENOSPC, Fault::NoSpace),
    (libc::EDQUOT, Fault::Quota),
    (libc::EFAULT, Fault::Rejected),
];

/// An operation whose callback was not called yet.
struct Pending {
    file: usize,
    action: IOAction,
    range: Range<usize>,
    bytes: Vec<u8>,
    /// The file had at least so many bytes when it was submitted.
    len_min: usize,
}

/// A file, and what is known of it.
struct Subject {
    handle: SimFile,
    model: FileModel,
    length: FileLength,
}

struct Run {
    seed: u64,
    dice: Dice,
    disk: SimDisk,
    engine: EventLoop<Numbered>,
    log: Arc<Mutex<Log>>,
    files: Vec<Subject>,
    pending: BTreeMap<u64, Pending>,
    submitted: u64,
    is_healed: bool,
    reports_short_transfers: bool,
    verified_bytes: u64,
    /// In which order the callbacks came, and with what.
    trace: Vec<(u64, i32)>,
}

/// What a run has come to.
struct Summary {
    injected: Injected,
    verified_bytes: u64,
    /// How many events travelled with another.
    merged: u64,
    trace: Vec<(u64, i32)>,
}

impl Subject {
    fn new(handle: SimFile) -> Self {
        Self {
            handle,
            model: FileModel::default(),
            length: FileLength::default(),
        }
    }
}

impl Run {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(!seed);
        let disk = SimDisk::new(seed);
        let depth = [1, 2, 7, 16, 64][dice.below(5)];
        let mut builder = EventLoop::builder().simulated(&disk).depth(depth);
        let limits = MergeLimits::default();
        builder = match dice.below(4) {
            0 => builder.merge(limits),
            1 => builder.merge(limits.with_gap_bytes_max(4096).sharing_reads()),
            _ => builder,
        };
        let reports_short_transfers = dice.one_in(4);
        if reports_short_transfers {
            builder = builder.short_transfers(ShortTransfers::Report);
        }
        for fault in FAULTS {
            if dice.one_in(2) {
                disk.inject(fault.one_in(3 + dice.below(30)));
            }
        }
        if dice.one_in(4) {
            disk.set_capacity(FILE_BYTES as u64);
        }
        let files = [disk.open("a"), disk.open("b"), disk.open_direct("c")];
        Self {
            seed,
            dice,
            engine: builder.build().unwrap(),
            disk,
            log: Arc::default(),
            files: files.map(Subject::new).into(),
            pending: BTreeMap::new(),
            submitted: 0,
            is_healed: false,
            reports_short_transfers,
            verified_bytes: 0,
            trace: Vec::new(),
        }
    }

    /// Submits an operation, or several that lie side by side, unless another is under way there.
    fn submit_some(&mut self) {
        let file = self.dice.below(self.files.len());
        let unit = self.unit(file);
        let action = match self.dice.below(20) {
            0 => IOAction::Sync,
            1 => IOAction::DataSync,
            2 => IOAction::Allocate,
            3 => IOAction::AllocateKeepSize,
            4 => IOAction::PunchHole,
            5 => IOAction::ZeroRange,
            6 => IOAction::Nop,
            7..=12 => IOAction::Read,
            _ => IOAction::Write,
        };
        let count = match action.moves_bytes() && self.dice.one_in(3) {
            true => 2 + self.dice.below(6),
            false => 1,
        };
        let mut begin = self.dice.below(FILE_BYTES / unit) * unit;
        for _ in 0..count {
            let len = (1 + self.dice.below(TRANSFER_BYTES_MAX / unit)) * unit;
            let range = begin..(begin + len).min(FILE_BYTES);
            begin = range.end;
            let is_sync = matches!(action, IOAction::Sync | IOAction::DataSync | IOAction::Nop);
            if range.is_empty() || (!is_sync && self.is_taken(file, action, &range)) {
                return;
            }
            self.submit(file, action, range);
        }
    }

    fn unit(&self, file: usize) -> usize {
        match file {
            DIRECT => SECTOR,
            _ => 1,
        }
    }

    fn is_taken(&self, file: usize, action: IOAction, range: &Range<usize>) -> bool {
        self.pending.values().any(|other| {
            let apart = other.range.end <= range.start || range.end <= other.range.start;
            let both_read = action == IOAction::Read && other.action == IOAction::Read;
            let moves = other.action.moves_bytes() || other.action.allocate_mode().is_some();
            other.file == file && moves && !apart && !both_read
        })
    }

    fn submit(&mut self, file: usize, action: IOAction, range: Range<usize>) {
        let mut bytes = Vec::new();
        let offset = i64::try_from(range.start).unwrap();
        let Subject { handle, length, .. } = &self.files[file];
        let (handle, len_min) = (*handle, length.min());
        let mut event = if action.moves_bytes() {
            let mut buffer = Buffer::aligned(range.len()).unwrap();
            self.dice.fill(&mut buffer);
            if action == IOAction::Write {
                bytes = buffer.to_vec();
            }
            IOEvent::new(handle, buffer, action, offset)
        } else {
            IOEvent::new_no_buf(handle, action, offset, range.len() as u64)
        };
        let number = self.submitted;
        event.set_callback(Numbered::new(number, &self.log));
        if let Err(full) = self.engine.submit(event) {
            assert_eq!(self.engine.in_flight(), self.engine.depth());
            // It comes back as it was, and is given up.
            drop(full.into_inner().into_buffer());
            assert_eq!(self.log.lock().unwrap().dropped.pop(), Some(number));
            return self.turn(Wait::For(1));
        }
        self.submitted += 1;
        let pending = Pending {
            file,
            action,
            range,
            bytes,
            len_min,
        };
        self.pending.insert(number, pending);
    }

    fn turn(&mut self, wait: Wait) {
        let called = self.engine.run(wait).unwrap();
        let finished = std::mem::take(&mut self.log.lock().unwrap().finished);
        assert_eq!(finished.len(), called);
        for (number, event) in finished {
            self.trace.push((number, event.res()));
            let pending = self.pending.remove(&number);
            let pending = pending.expect("a callback is called once, and after it was submitted");
            match self.is_to_go_on(&pending, &event) {
                true => self.go_on(number, pending, event),
                false => self.check(&pending, event),
            }
        }
        assert!(
            self.log.lock().unwrap().dropped.is_empty(),
            "a lost callback"
        );
        assert_eq!(self.engine.in_flight(), self.pending.len());
    }

    /// Whether a short transfer has been reported, to be handed over again as it is.
    fn is_to_go_on(&self, pending: &Pending, event: &IOEvent<Numbered>) -> bool {
        let is_short = event
            .get_result()
            .is_ok_and(|done| done < pending.range.len());
        let is_transfer = pending.action.moves_bytes() && !event.is_end_of_file();
        self.reports_short_transfers && is_transfer && is_short
    }

    fn go_on(&mut self, number: u64, pending: Pending, mut event: IOEvent<Numbered>) {
        event.set_callback(Numbered::new(number, &self.log));
        self.engine.submit(event).expect("one has just left");
        self.pending.insert(number, pending);
    }

    fn heal(&mut self) {
        self.disk.heal();
        self.disk.set_capacity(1 << 30);
        let mut turns = 0;
        while self.engine.in_flight() > 0 {
            self.turn(Wait::For(1));
            turns += 1;
            assert!(
                turns < 1000,
                "it does not finish: {} left",
                self.pending.len()
            );
        }
        self.is_healed = true;
    }

    /// Reads every file to its end and compares with the model and with the disk.
    fn read_everything(&mut self) {
        for file in 0..self.files.len() {
            for begin in (0..FILE_BYTES).step_by(FILE_BYTES / 4) {
                self.submit(file, IOAction::Read, begin..begin + FILE_BYTES / 4);
                while !self.pending.is_empty() {
                    self.turn(Wait::For(1));
                }
            }
            let subject = &mut self.files[file];
            let content = self.disk.content(subject.handle);
            subject.model.has_read(0, &content).unwrap();
            let (min, max) = (subject.length.min(), subject.length.max());
            assert!((min..=max).contains(&content.len()));
        }
    }

    fn run(mut self) -> Summary {
        while self.submitted < OPERATIONS {
            self.submit_some();
            match self.dice.below(6) {
                0 => self.turn(Wait::Never),
                1 => self.turn(Wait::For(1)),
                2 => self.turn(Wait::For(1 + self.dice.clone().below(8))),
                _ => {}
            }
        }
        self.heal();
        self.read_everything();
        assert_eq!(self.disk.seed(), self.seed);
        let merged = self.engine.merge_counters();
        Summary {
            injected: self.disk.injected(),
            verified_bytes: self.verified_bytes,
            merged: merged.map_or(0, |merged| merged.events - merged.requests),
            trace: self.trace,
        }
    }
}

#[test]
fn the_same_seed_is_the_same_run() {
    let trace = |seed| Run::new(seed).run().trace;
    let seeds = if cfg!(miri) { 0..0 } else { 0..10 };
    for seed in seeds {
        assert!(trace(seed) == trace(seed), "seed {seed}");
        assert!(trace(seed) != trace(seed + 1));
    }
}

#[test]
fn every_event_ends_once_and_as_the_model_says() {
    let seeds = std::env::var("SIM_SEEDS").ok();
    let quick = match cfg!(debug_assertions) {
        true if cfg!(miri) => 2,
        true => 250,
        false => 2000,
    };
    let seeds = seeds.map_or(quick, |seeds| seeds.parse().unwrap());
    let mut injected = Injected::default();
    let (mut bytes, mut merged, mut runs) = (0, 0, 0);
    let watchdog = Watchdog::new();
    for_each_seed(0..seeds, |seed| {
        watchdog.begins(format_args!("seed {seed}"));
        let summary = Run::new(seed).run();
        merged += summary.merged;
        injected.add(&summary.injected);
        bytes += summary.verified_bytes;
        runs += 1;
    });
    let operations = runs * OPERATIONS;
    println!("{runs} seeds, {operations} operations, {merged} of them merged into others");
    println!("{bytes} bytes read and compared, {injected:?}");
    if runs >= 50 {
        assert!(merged > 10 * runs, "hardly anything was merged");
        for fault in FAULTS {
            assert!(
                injected.of(fault) > 10 * runs / 50,
                "{fault:?} was hardly injected"
            );
        }
    }
}
