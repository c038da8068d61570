//! The disk, the engine on it, and the model beside it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use io_engine::merge::MergeLimits;
use io_engine::sim::{Dice, Fault, SimDisk, SimFile};
use io_engine::tasks::{IOAction, IOEvent};
use io_engine::{Buffer, EventLoop, ShortTransfers, Wait};

use super::Summary;
use super::contents::Contents;
use super::expected::{Exposure, Pending};
use super::step::{DIRECT, FILE_BYTES, HANDLES, Merging, Setup, Turns, unit};
use super::told::{Log, Numbered, Told};

mod endings;
mod verdicts;

/// What is done on a disk that has no more faults ends within so many turns.
const TURNS_MAX: usize = 2000;
const FAR: Duration = Duration::from_secs(3600);
const AMPLE_BYTES: u64 = 1 << 30;

/// Everything that a script acts on.
pub(crate) struct World {
    setup: Setup,
    disk: SimDisk,
    engine: EventLoop<Numbered>,
    handles: [SimFile; HANDLES],
    /// The error that a sync of each handle has to fail with.
    kept: [Option<i32>; HANDLES],
    files: [Contents; 2],
    log: Log,
    pending: BTreeMap<u64, Pending>,
    dice: Dice,
    next_number: u64,
    now: u64,
    /// What may happen to a request at present.
    exposure: Exposure,
    is_broken: bool,
    summary: Summary,
}

/// Which of the files a handle leads to.
fn file_of(handle: usize) -> usize {
    handle / 2
}

fn open(disk: &SimDisk) -> [SimFile; HANDLES] {
    [disk.open("a"), disk.open_direct("a"), disk.open("b")]
}

fn start(disk: &SimDisk, setup: Setup) -> EventLoop<Numbered> {
    let limits = MergeLimits::default();
    let mut builder = EventLoop::builder().simulated(disk).depth(setup.depth);
    builder = match setup.merging {
        Merging::Off => builder,
        Merging::On => builder.merge(limits),
        Merging::WithHoles => builder.merge(limits.with_gap_bytes_max(1024).sharing_reads()),
    };
    if setup.reports_short_transfers {
        builder = builder.short_transfers(ShortTransfers::Report);
    }
    builder.build().expect("a depth in range, and a descriptor")
}

impl World {
    pub(crate) fn new(seed: u64, setup: Setup) -> Self {
        let disk = SimDisk::new(seed);
        Self {
            setup,
            engine: start(&disk, setup),
            handles: open(&disk),
            disk,
            kept: [None; HANDLES],
            files: [Contents::new(), Contents::new()],
            log: Log::default(),
            pending: BTreeMap::new(),
            dice: Dice::new(!seed),
            next_number: 0,
            now: 0,
            exposure: Exposure::default(),
            is_broken: false,
            summary: Summary::default(),
        }
    }

    pub(crate) fn disk(&self) -> &SimDisk {
        &self.disk
    }

    pub(crate) fn handle(&self, handle: usize) -> SimFile {
        self.handles[handle]
    }

    /// Whether what is asked for meets nothing that is under way there.
    pub(crate) fn is_free(&self, action: IOAction, handle: usize, range: &Range<usize>) -> bool {
        !self.pending.values().any(|other| {
            let apart = other.range.end <= range.start || range.end <= other.range.start;
            let both_read = action == IOAction::Read && other.action == IOAction::Read;
            file_of(other.handle) == file_of(handle) && !apart && !both_read
        })
    }

    pub(crate) fn may_now_happen(&mut self, exposure: Exposure) {
        self.exposure.add(exposure);
        for pending in self.pending.values_mut() {
            pending.exposed.add(exposure);
        }
    }

    pub(crate) fn has_room(&self) -> bool {
        self.engine.in_flight() < self.engine.depth()
    }

    /// An event that can work, and the model's note of it. `next` is what its callback hands over.
    pub(crate) fn prepare(
        &mut self,
        number: u64,
        (action, handle, range): (IOAction, usize, Range<usize>),
        next: Option<IOEvent<Numbered>>,
    ) -> IOEvent<Numbered> {
        self.now += 1;
        let (file, offset) = (self.handles[handle], as_offset(range.start));
        let contents = &mut self.files[file_of(handle)];
        let mut event = if action.moves_bytes() {
            let mut buffer = Buffer::aligned(range.len()).expect("memory for a transfer");
            self.dice.fill(&mut buffer);
            if action == IOAction::Write {
                contents.may_become(range.clone(), &buffer, self.now);
                contents.may_grow(range.end);
            }
            IOEvent::new(file, buffer, action, offset)
        } else {
            if matches!(action, IOAction::PunchHole | IOAction::ZeroRange) {
                contents.may_become(range.clone(), &[0; FILE_BYTES], self.now);
            }
            if matches!(action, IOAction::Allocate | IOAction::ZeroRange) {
                contents.may_grow(range.end);
            }
            IOEvent::new_no_buf(file, action, offset, range.len() as u64)
        };
        event.set_callback(Numbered::leading_to(next, number, &self.log));
        let pending = self.pending_of(action, handle, range);
        self.pending.insert(number, pending);
        event
    }

    fn pending_of(&self, action: IOAction, handle: usize, range: Range<usize>) -> Pending {
        Pending {
            handle,
            action,
            range,
            begun: self.now,
            len_min: self.files[file_of(handle)].len_min,
            exposed: self.exposure,
            is_valid: true,
            is_with_callback: false,
        }
    }

    pub(crate) fn numbers(&mut self, count: usize) -> u64 {
        let first = self.next_number;
        self.next_number += count as u64;
        first
    }

    /// An event that is to be refused.
    pub(crate) fn submit_invalid(&mut self, mut event: IOEvent<Numbered>) {
        let number = self.numbers(1);
        event.set_callback(Numbered::leading_to(None, number, &self.log));
        let mut pending = self.pending_of(event.action(), 0, 0..0);
        pending.is_valid = false;
        self.pending.insert(number, pending);
        self.submit(event);
    }

    /// Of an event that is prepared, while there is room.
    pub(crate) fn submit(&mut self, event: IOEvent<Numbered>) {
        assert!(self.engine.submit(event).is_ok(), "refused with room left");
        self.summary.operations += 1;
        self.check_in_flight();
    }

    pub(crate) fn hold_back(&mut self, number: u64) {
        let pending = self.pending.get_mut(&number);
        pending.expect("it was prepared").is_with_callback = true;
    }

    fn check_in_flight(&self) {
        let submitted = self.pending.values().filter(|of| !of.is_with_callback);
        assert_eq!(self.engine.in_flight(), submitted.count());
    }

    pub(crate) fn run(&mut self, turns: Turns) {
        let may_hang = self.exposure.has(Fault::Hang);
        match turns {
            _ if may_hang => (0..3).for_each(|_| self.turn(Wait::Never)),
            Turns::Never(count) => (0..count).for_each(|_| self.turn(Wait::Never)),
            Turns::For(count) => self.turn(Wait::For(count)),
            Turns::Until if self.engine.in_flight() == 0 => self.turn(Wait::Never),
            Turns::Until => self.turn(Wait::Until(Instant::now() + FAR)),
        }
        if self.is_broken {
            self.finish();
        }
    }

    fn turn(&mut self, wait: Wait) {
        let ran = self.engine.run(wait);
        if ran.is_err() && !self.is_broken {
            assert!(self.exposure.has(Fault::BrokenQueue), "{ran:?}");
            self.is_broken = true;
        }
        if self.is_broken {
            self.may_now_happen(Exposure::to_an_end());
        }
        let called = self.take_what_was_told(false);
        if let Ok(count) = ran {
            assert_eq!(called, count, "callbacks that were counted");
        }
        self.check_in_flight();
    }

    /// Until nothing is inside, on a disk that answers by now.
    fn finish(&mut self) {
        let mut turns = 0;
        while self.engine.in_flight() > 0 {
            self.turn(if self.is_broken {
                Wait::Never
            } else {
                Wait::For(1)
            });
            turns += 1;
            assert!(turns < TURNS_MAX, "never done: {:?}", self.pending);
        }
        assert!(self.pending.is_empty(), "lost: {:?}", self.pending);
    }

    /// Says how many callbacks have been called.
    fn take_what_was_told(&mut self, is_ending: bool) -> usize {
        self.now += 1;
        let Told {
            finished,
            handed_over,
            refused,
            mut dropped,
        } = self.log.take();
        for number in handed_over {
            let pending = self.pending.get_mut(&number).expect("handed over once");
            assert!(std::mem::take(&mut pending.is_with_callback));
            self.summary.handed_over += 1;
        }
        assert!(refused.is_empty() || is_ending, "no room for {refused:?}");
        for number in refused {
            // With it go all that wait behind it.
            let behind = number..=dropped.iter().copied().max().unwrap_or(number);
            for number in behind {
                let Some(at) = dropped.iter().position(|other| *other == number) else {
                    break;
                };
                dropped.swap_remove(at);
                let refused = self.pending.remove(&number).expect("refused once");
                assert!(refused.is_with_callback);
            }
        }
        assert!(dropped.is_empty(), "callbacks that were lost: {dropped:?}");
        let count = finished.len();
        for (number, event) in finished {
            self.is_finished(number, event, is_ending);
        }
        count
    }

    pub(crate) fn acknowledge(&mut self, handle: usize) {
        let file = self.handles[handle];
        let error = self.engine.acknowledge_sync_failure(file);
        let errno = error.and_then(|error| error.raw_os_error());
        assert_eq!(errno, self.kept[handle].take());
    }

    pub(crate) fn heal(&mut self) {
        self.disk.heal();
        self.disk.set_capacity(AMPLE_BYTES);
        self.exposure = Exposure::default();
        if self.is_broken {
            self.may_now_happen(Exposure::to_an_end());
        }
    }
}

fn as_offset(position: usize) -> i64 {
    i64::try_from(position).expect("within a small file")
}

const _: () = assert!(FILE_BYTES.is_multiple_of(512) && DIRECT < HANDLES);

/// A range from `at` on, cut at the end of what a script reaches.
pub(crate) fn range(handle: usize, at: usize, len: usize) -> Range<usize> {
    let end = (at + len).min(FILE_BYTES);
    debug_assert!(end.is_multiple_of(unit(handle)));
    at..end
}
