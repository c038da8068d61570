//! Good and bad events in any order: each gets one callback, with the result of its kind.
//!
//! `BAD_INPUT_EVENTS=n` draws so many events for each driver instead of the quick share, and
//! `BAD_INPUT_SEED=n` others.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use io_engine::tasks::{IOAction, IOEvent};
use io_engine::{Buffer, Driver};
use io_engine_core::conformance::Random;
use machine::engine::{Engine, Reply, WAYS, Way};
use machine::{drivers, within_deadline};

mod machine;

/// All of them over the ways of one driver.
const EVENTS: u64 = 10_000;
const BLOCK: usize = 512;
/// Read only, each byte the low byte of its offset's block.
const READ_BLOCKS: usize = 64;

/// What has to come of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    /// So many bytes of the file from this offset.
    Read {
        offset: usize,
        len: usize,
    },
    Written {
        slot: usize,
    },
    /// A sync or an allocation.
    Done,
    Refused,
    Errno(i32),
}

struct Files {
    read: Arc<File>,
    written: Arc<File>,
    read_only: Arc<File>,
}

impl Files {
    fn new() -> Self {
        let read = tempfile::NamedTempFile::new().unwrap();
        let content: Vec<u8> = (0..READ_BLOCKS * BLOCK).map(content_at).collect();
        read.as_file().write_all_at(&content, 0).unwrap();
        Self {
            read_only: Arc::new(File::open(read.path()).unwrap()),
            read: Arc::new(read.into_file()),
            written: Arc::new(tempfile::tempfile().unwrap()),
        }
    }

    fn draw(&self, random: &mut Random, slot: usize) -> (IOEvent<Reply>, Expected) {
        let len = 1 + random.below(3 * BLOCK);
        let vec = Buffer::from(vec![0; len]);
        match random.below(14) {
            0..=3 => self.draw_read(random, vec),
            4..=6 => (self.write(slot), Expected::Written { slot }),
            7 => (IOEvent::sync(&self.written), Expected::Done),
            8 => (
                IOEvent::new_no_buf(&self.written, IOAction::AllocateKeepSize, 0, 4096),
                Expected::Done,
            ),
            9 => (
                IOEvent::new(&self.read_only, vec, IOAction::Write, 0),
                Expected::Errno(libc::EBADF),
            ),
            10 => {
                let action = [IOAction::Read, IOAction::Write][random.below(2)];
                let fd = [-1, 9999, i32::MAX, i32::MIN][random.below(4)];
                let event = IOEvent::new(fd, vec, action, 0);
                (event, Expected::Errno(libc::EBADF))
            }
            _ => (self.draw_refused(random, vec), Expected::Refused),
        }
    }

    /// Before, across and beyond the end of the file.
    fn draw_read(&self, random: &mut Random, buffer: Buffer) -> (IOEvent<Reply>, Expected) {
        let offset = random.below((READ_BLOCKS + 4) * BLOCK);
        let len = buffer
            .len()
            .min((READ_BLOCKS * BLOCK).saturating_sub(offset));
        let at = i64::try_from(offset).unwrap();
        let event = IOEvent::new(&self.read, buffer, IOAction::Read, at);
        (event, Expected::Read { offset, len })
    }

    fn write(&self, slot: usize) -> IOEvent<Reply> {
        let offset = i64::try_from(slot * 8).unwrap();
        let bytes = Bytes::copy_from_slice(&tag(slot));
        IOEvent::new(&self.written, bytes.into(), IOAction::Write, offset)
    }

    fn draw_refused(&self, random: &mut Random, buffer: Buffer) -> IOEvent<Reply> {
        let negative = -1 - random.number().cast_signed().max(0);
        match random.below(6) {
            0 => IOEvent::new(&self.read, vec![].into(), IOAction::Read, 0),
            1 => IOEvent::new_no_buf(&self.read, IOAction::Read, 0, 100),
            2 => IOEvent::new(&self.read, buffer, IOAction::Read, negative),
            3 => IOEvent::new(&self.written, buffer, IOAction::Write, i64::MAX),
            4 => IOEvent::new(
                &self.read,
                Bytes::from(vec![1; 9]).into(),
                IOAction::Read,
                0,
            ),
            _ => IOEvent::new_no_buf(&self.written, IOAction::ZeroRange, 0, 0),
        }
    }
}

fn content_at(offset: usize) -> u8 {
    u8::try_from(offset / BLOCK % 251).unwrap()
}

fn tag(slot: usize) -> [u8; 8] {
    (slot as u64 + 1).to_le_bytes()
}

fn assert_expected(event: IOEvent<Reply>, expected: Expected) {
    match expected {
        Expected::Read { offset, len } => {
            let buffer = event.get_read_result().expect("a good read");
            let content: Vec<u8> = (offset..offset + len).map(content_at).collect();
            assert_eq!(&*buffer, &*content, "a read at {offset}");
        }
        Expected::Written { .. } => event.get_write_result().expect("a good write"),
        Expected::Done => assert_eq!(event.get_result().expect("it works"), 0),
        Expected::Refused => {
            let error = event.get_result().expect_err("it cannot work");
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{event:?}");
        }
        Expected::Errno(errno) => {
            let error = event.get_result().expect_err("it cannot work");
            assert_eq!(error.raw_os_error(), Some(errno), "{event:?}");
        }
    }
}

/// How many bad events were among them.
fn run(driver: Driver, way: Way, events: u64, seed: u64) -> u64 {
    let mut random = Random::new(seed);
    let files = Files::new();
    let depth = 1 + random.below(64);
    let mut engine = Engine::new(driver, way, depth);
    let mut slots = Vec::new();
    let (mut drawn, mut bad) = (0, 0);
    while (drawn as u64) < events {
        let batch = 1 + random.below(200);
        let (events, expected): (Vec<_>, Vec<_>) = (drawn..drawn + batch)
            .map(|slot| files.draw(&mut random, slot))
            .unzip();
        drawn += batch;
        for (event, expected) in engine.carry_out(events).into_iter().zip(expected) {
            match expected {
                Expected::Written { slot } => slots.push(slot),
                Expected::Refused | Expected::Errno(_) => bad += 1,
                Expected::Read { .. } | Expected::Done => {}
            }
            assert_expected(event, expected);
        }
    }
    engine.finish();
    for slot in slots {
        let mut bytes = [0; 8];
        let offset = slot as u64 * 8;
        files.written.read_exact_at(&mut bytes, offset).unwrap();
        assert_eq!(bytes, tag(slot), "slot {slot}");
    }
    bad
}

fn from_environment(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().expect("a number"))
}

#[test]
fn d2_good_and_bad_events_in_any_order_each_get_the_result_of_their_kind() {
    let events = from_environment("BAD_INPUT_EVENTS").unwrap_or(EVENTS);
    let first_seed = from_environment("BAD_INPUT_SEED").unwrap_or(0) * WAYS.len() as u64 + 1;
    let (tried, bad) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    for driver in drivers() {
        for (way, seed) in WAYS.into_iter().zip(first_seed..) {
            let what = format!("{driver}, {way:?}, seed {seed}");
            // In parts, each of which is to be done in time.
            let parts = (events / EVENTS).max(1);
            for part in 0..parts {
                let (tried, bad) = (Arc::clone(&tried), Arc::clone(&bad));
                within_deadline(&what, move || {
                    let share = events / parts / WAYS.len() as u64;
                    bad.fetch_add(
                        run(driver, way, share, seed + (part << 32)),
                        Ordering::Relaxed,
                    );
                    tried.fetch_add(share, Ordering::Relaxed);
                });
            }
        }
    }
    let (tried, bad) = (tried.load(Ordering::Relaxed), bad.load(Ordering::Relaxed));
    println!("tried: {bad} bad events among {tried}");
    assert!(bad > tried / 4, "{bad} of {tried}");
}
