//! Random batches of events that do not get in each other's way, and what each has to come to.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;
use io_engine::tasks::{IOAction, IOEvent};
use io_engine::{Buffer, FileHandle, InvalidRequest};
use io_engine_core::conformance::Random;

use crate::machine::engine::{Reply, errno_of};
use crate::world::{Nature, PAGE, SIZE_MAX, Subject, World};

/// One event, and what has to come of it.
pub(crate) struct Planned {
    pub(crate) event: IOEvent<Reply>,
    pub(crate) outcome: Outcome,
    pub(crate) has_callback: bool,
}

#[derive(Debug)]
pub(crate) enum Outcome {
    /// Of a read: these bytes, and the end of the file if they are fewer than it asked for.
    Read(Vec<u8>),
    /// Of a write: all of these were written, and are still in the buffer.
    Wrote(Vec<u8>),
    /// Of what moves no bytes.
    Done,
    Errno(i32),
    /// The name of the variant of [`InvalidRequest`].
    Invalid(&'static str),
}

impl Outcome {
    pub(crate) fn assert_is(&self, event: IOEvent<Reply>, case: &str) {
        let what = format!("{case}: {event:?}");
        match self {
            Self::Read(bytes) => {
                let is_short = (bytes.len() as u64) < event.get_size();
                assert_eq!(
                    event.is_end_of_file(),
                    is_short,
                    "{what}: the end of the file"
                );
                assert_eq!(event.transferred(), bytes.len(), "{what}");
                let found = event.get_read_result();
                assert!(*found.expect(&what) == **bytes, "{what}: other bytes");
            }
            Self::Wrote(bytes) => {
                event.get_write_result().expect(&what);
                assert_eq!(event.transferred(), bytes.len(), "{what}");
                let buffer = event.into_buffer().expect(&what);
                assert!(*buffer == **bytes, "{what}: another buffer");
            }
            Self::Done => assert_eq!(event.get_result().expect(&what), 0, "{what}"),
            Self::Errno(errno) => assert_eq!(errno_of(&event), Some(*errno), "{what}"),
            Self::Invalid(name) => {
                let error = event.get_result().expect_err(&what);
                let invalid = error.get_ref().and_then(|inner| inner.downcast_ref());
                let invalid: &InvalidRequest = invalid.expect(&what);
                assert!(
                    format!("{invalid:?}").starts_with(name),
                    "{what}: {invalid}"
                );
            }
        }
    }
}

/// Streams of contiguous events, woven together, each with gaps and twins and turns.
pub(crate) fn batch(world: &mut World, random: &mut Random) -> Vec<Planned> {
    let streams = 1 + random.below(7);
    let mut streams: Vec<VecDeque<Planned>> =
        (0..streams).map(|_| stream(world, random).into()).collect();
    let mut woven = Vec::new();
    while !streams.is_empty() {
        let place = random.below(streams.len());
        match streams[place].pop_front() {
            Some(planned) => woven.push(planned),
            None => drop(streams.swap_remove(place)),
        }
    }
    woven
}

fn stream(world: &mut World, random: &mut Random) -> Vec<Planned> {
    let place = random.below(world.subjects.len());
    let subject = &mut world.subjects[place];
    match random.below(12) {
        0..=4 => reads(subject, random),
        5..=8 => writes(subject, random),
        9 => failing(subject, random),
        10 => invalid(subject, random),
        _ => in_one_piece(subject, random),
    }
}

/// Contiguous ranges, ascending, descending or shuffled, some of them left out.
fn ranges(subject: &Subject, random: &mut Random) -> Vec<Range<usize>> {
    let len = match subject.nature {
        Nature::Direct { aligned, .. } => aligned * (1 + random.below(2)),
        Nature::Buffered | Nature::Appending => [1, 7, 512, 1300, PAGE][random.below(5)],
    };
    let first = random.below((subject.content.len() + 2 * len) / len);
    let count = 1 + random.below(16);
    let all = (first..first + count).map(|at| at * len..(at + 1) * len);
    let mut ranges: Vec<_> = all.filter(|_| random.below(12) > 0).collect();
    match random.below(3) {
        0 => ranges.reverse(),
        1 => random.shuffle(&mut ranges),
        _ => {}
    }
    ranges
}

fn handle(subject: &Subject, random: &mut Random) -> FileHandle {
    subject.handles[random.below(subject.handles.len())].clone()
}

fn transfer(
    file: impl Into<FileHandle>,
    buffer: Buffer,
    action: IOAction,
    start: usize,
) -> IOEvent<Reply> {
    IOEvent::new(file, buffer, action, i64::try_from(start).unwrap())
}

fn aligned(bytes: &[u8]) -> Buffer {
    let mut buffer = Buffer::aligned(bytes.len()).unwrap();
    buffer.copy_from_slice(bytes);
    buffer
}

/// What a read finds in its memory beforehand.
fn blank(len: usize) -> Buffer {
    aligned(&vec![0xa5; len])
}

fn reads(subject: &mut Subject, random: &mut Random) -> Vec<Planned> {
    let file = handle(subject, random);
    let mut planned = Vec::new();
    for range in ranges(subject, random) {
        // Once more, or a part of it: for those who share.
        let twins = if random.below(4) == 0 { 1 } else { 0 };
        let whole = matches!(subject.nature, Nature::Direct { .. }) || random.below(2) == 0;
        let part = match range.len() / 2 {
            half if whole || half == 0 => range.clone(),
            half => range.start + half..range.end,
        };
        let all = [range].into_iter().chain((0..twins).map(|_| part.clone()));
        for range in all {
            let has_callback = random.below(8) > 0;
            if subject.begin_read(&range, has_callback) {
                let event = transfer(
                    file.clone(),
                    blank(range.len()),
                    IOAction::Read,
                    range.start,
                );
                planned.push(Planned {
                    event,
                    outcome: Outcome::Read(subject.bytes(&range)),
                    has_callback,
                });
            }
        }
    }
    planned
}

fn writes(subject: &mut Subject, random: &mut Random) -> Vec<Planned> {
    let file = handle(subject, random);
    let mut planned = Vec::new();
    for range in ranges(subject, random) {
        let bytes = random.bytes(range.len());
        let appends = subject.nature == Nature::Appending;
        let has_callback = appends || random.below(8) > 0;
        if appends {
            // Long enough to tell one from the other.
            if bytes.len() < 500 || subject.content.len() > SIZE_MAX {
                continue;
            }
            subject.appended.push(bytes.clone());
        } else if subject.begin_write(&range, has_callback) {
            subject.set(range.start, &bytes);
        } else {
            continue;
        }
        let buffer = match subject.nature {
            Nature::Direct { .. } => aligned(&bytes),
            Nature::Buffered | Nature::Appending => match random.below(3) {
                0 => Buffer::from(Bytes::from(bytes.clone())),
                1 => Buffer::from(bytes.clone()),
                _ => aligned(&bytes),
            },
        };
        planned.push(Planned {
            event: transfer(file.clone(), buffer, IOAction::Write, range.start),
            outcome: Outcome::Wrote(bytes),
            has_callback,
        });
    }
    planned
}

/// No file behind the number, or none that takes what is asked of it.
fn failing(subject: &Subject, random: &mut Random) -> Vec<Planned> {
    let (file, action) = match random.below(4) {
        0 => (FileHandle::from(-1), IOAction::Read),
        1 => (FileHandle::from(-1), IOAction::Write),
        2 => (FileHandle::from(&subject.only_reads), IOAction::Write),
        _ => (FileHandle::from(&subject.only_writes), IOAction::Read),
    };
    let planned = ranges(subject, random).into_iter().map(|range| Planned {
        event: transfer(file.clone(), blank(range.len()), action, range.start),
        outcome: Outcome::Errno(libc::EBADF),
        has_callback: random.below(8) > 0,
    });
    planned.collect()
}

/// Reads that can work, of which some cannot: their neighbours must not notice.
fn invalid(subject: &mut Subject, random: &mut Random) -> Vec<Planned> {
    let mut planned = reads(subject, random);
    for good in &mut planned {
        if random.below(3) > 0 {
            continue;
        }
        let (file, start) = (good.event.file().clone(), good.event.offset());
        let start = usize::try_from(start).unwrap();
        let len = usize::try_from(good.event.get_size()).unwrap();
        let (buffer, start, name) = match (random.below(3), subject.nature) {
            (0, _) => (Buffer::from(Vec::new()), start, "EmptyBuffer"),
            (1, Nature::Direct { misaligned, .. }) => {
                (blank(len - misaligned), start, "Misaligned")
            }
            (2, Nature::Direct { misaligned, .. }) => {
                (blank(len), start + misaligned, "Misaligned")
            }
            _ => (
                Buffer::from(Bytes::from(vec![0; len])),
                start,
                "ReadOnlyBuffer",
            ),
        };
        good.event = transfer(file, buffer, IOAction::Read, start);
        good.outcome = Outcome::Invalid(name);
    }
    planned
}

/// What moves no bytes, between those that do.
fn in_one_piece(subject: &mut Subject, random: &mut Random) -> Vec<Planned> {
    let file = handle(subject, random);
    let start = PAGE * random.below(subject.content.len() / PAGE + 2);
    let len = PAGE * (1 + random.below(3));
    let range = start..start + len;
    let ranged = |action| {
        IOEvent::new_no_buf(
            file.clone(),
            action,
            i64::try_from(start).unwrap(),
            len as u64,
        )
    };
    let can_allocate = subject.nature != Nature::Appending;
    let event = match random.below(4) {
        0 => IOEvent::data_sync(file),
        1 if can_allocate && subject.begin_write(&range, true) => {
            let size = subject.content.len().max(range.end);
            subject.content.resize(size, 0);
            ranged(IOAction::Allocate)
        }
        2 if can_allocate && subject.begin_write(&range, true) => {
            let end = range.end.min(subject.content.len());
            subject.content[range.start.min(end)..end].fill(0);
            ranged(IOAction::PunchHole)
        }
        _ => IOEvent::sync(file),
    };
    vec![Planned {
        event,
        outcome: Outcome::Done,
        has_callback: true,
    }]
}
