//! What each operation does, the same on every driver and in every way of running the engine.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use io_engine::tasks::{IOAction, IOEvent};
use io_engine::{Buffer, Driver, EventLoop, IOContext, ShortTransfers};
use machine::disk::Disk;
use machine::engine::{Engine, Reply, WAYS, Way, assert_is_block, read_block};
use machine::{drivers, numbered_file, within_deadline};

mod machine;

/// Runs `body` for every driver that starts here, in every way, each with a deadline.
fn on_every_engine(what: &str, body: impl Fn(&mut Engine, Driver) + Clone + Send + 'static) {
    for driver in drivers() {
        for way in WAYS {
            let body = body.clone();
            within_deadline(&format!("{what}: {driver}, {way:?}"), move || {
                let mut engine = Engine::new(driver, way, 8);
                body(&mut engine, driver);
                engine.finish();
            });
        }
    }
}

/// What can be seen of an operation: its result, and the file after it.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    what: IOAction,
    result: Result<usize, Option<i32>>,
    end_of_file: bool,
    buffer: Option<Vec<u8>>,
    file: Vec<u8>,
}

fn script(file: &Arc<File>) -> Vec<IOEvent<Reply>> {
    let range = |action, offset, len| IOEvent::new_no_buf(file, action, offset, len);
    let write =
        |byte, len, offset| IOEvent::new(file, vec![byte; len].into(), IOAction::Write, offset);
    let read = |len, offset| IOEvent::new(file, vec![9; len].into(), IOAction::Read, offset);
    vec![
        write(1, 40_000, 0),
        write(2, 1000, 50_000),
        read(20_000, 35_000),
        IOEvent::sync(file),
        IOEvent::data_sync(file),
        range(IOAction::Allocate, 60_000, 10_000),
        read(100, 69_950),
        range(IOAction::AllocateKeepSize, 0, 1 << 20),
        range(IOAction::PunchHole, 4096, 8192),
        read(16_384, 0),
        range(IOAction::ZeroRange, 20_480, 100),
        range(IOAction::ZeroRange, 69_000, 5000),
        read(1, 74_000),
        // A buffer that only travels along: its length is the range.
        IOEvent::new(file, vec![0; 80_000].into(), IOAction::Allocate, 0),
        IOEvent::new(file, vec![7; 512].into(), IOAction::Sync, 0),
        range(IOAction::Allocate, 0, 1 << 62),
        range(IOAction::PunchHole, 1 << 40, 1 << 40),
    ]
}

fn see(engine: &mut Engine) -> Vec<Seen> {
    let disk = Disk::new();
    let file = disk.file("file", b"");
    let look = |event: IOEvent<Reply>| {
        let event = engine.one(event);
        Seen {
            what: event.action(),
            result: event.get_result().map_err(|error| error.raw_os_error()),
            end_of_file: event.is_end_of_file(),
            buffer: event.into_buffer().map(Buffer::into_vec),
            file: std::fs::read(disk.path("file")).unwrap(),
        }
    };
    script(&file).into_iter().map(look).collect()
}

#[test]
fn d23_every_operation_gives_the_same_on_every_driver() {
    let mut first: Option<(Driver, Way, Vec<Seen>)> = None;
    for driver in drivers() {
        for way in WAYS {
            let mut engine = Engine::new(driver, way, 4);
            let seen = see(&mut engine);
            engine.finish();
            let Some((other, other_way, expected)) = &first else {
                assert_eq!(seen[2].result, Ok(16_000), "the read across the end");
                assert_eq!((seen[3].result, seen[5].result), (Ok(0), Ok(0)));
                assert_eq!(seen[5].file.len(), 70_000);
                assert_eq!(seen[9].buffer.as_ref().unwrap()[4096..12_288], [0; 8192]);
                assert!(seen[12].end_of_file);
                first = Some((driver, way, seen));
                continue;
            };
            for (step, (seen, expected)) in seen.iter().zip(expected).enumerate() {
                assert!(
                    seen == expected,
                    "step {step} {:?}: {driver} {way:?} gives {:?}, {other} {other_way:?} {:?}",
                    seen.what,
                    seen.result,
                    expected.result
                );
            }
        }
    }
}

#[test]
fn the_four_allocations_change_size_and_space_as_they_say() {
    const MIB: u64 = 1 << 20;
    on_every_engine("allocations", |engine, _| {
        let disk = Disk::new();
        let file = disk.file("file", &[5; 8192]);
        let mut after = |action, offset: u64, len| {
            let event = IOEvent::new_no_buf(&file, action, offset.cast_signed(), len);
            assert_eq!(engine.one(event).get_result().unwrap(), 0, "{action:?}");
            let metadata = file.metadata().unwrap();
            (metadata.len(), metadata.blocks() * 512)
        };
        let (len, space) = after(IOAction::Allocate, 0, MIB);
        assert_eq!(len, MIB);
        assert!(space >= MIB, "{space}");
        let (len, space) = after(IOAction::AllocateKeepSize, MIB, MIB);
        assert_eq!(len, MIB);
        assert!(space >= 2 * MIB, "{space}");
        let (len, punched) = after(IOAction::PunchHole, MIB / 2, MIB / 2);
        assert_eq!(len, MIB);
        assert!(punched + MIB / 4 < space, "{punched} of {space} are left");
        let (len, space) = after(IOAction::ZeroRange, 4096, 4096);
        assert_eq!(len, MIB);
        assert!(space + MIB / 4 > punched, "zeroed space stays: {space}");
        let mut content = [1; 12_288];
        file.read_exact_at(&mut content, 0).unwrap();
        assert_eq!(
            (&content[..4096], &content[4096..]),
            (&[5; 4096][..], &[0; 8192][..])
        );
    });
}

#[test]
fn d23_a_range_of_more_than_four_gib_is_a_plain_success() {
    const GIB: u64 = 1 << 30;
    on_every_engine("a long range", |engine, _| {
        let disk = Disk::new();
        let file = disk.file("file", b"");
        file.set_len(7 * GIB).unwrap();
        for gib in [0, 2, 5, 6] {
            file.write_all_at(&[7; 8192], gib * GIB).unwrap();
        }
        let event = IOEvent::new_no_buf(&file, IOAction::PunchHole, 4096, 5 * GIB);
        assert_eq!(event.get_size(), 5 * GIB);
        let event = engine.one(event);
        assert_eq!((event.get_result().unwrap(), event.res()), (0, 0));
        event.get_write_result().unwrap();
        let byte_at = |offset| {
            let mut byte = [1];
            file.read_exact_at(&mut byte, offset).unwrap();
            byte[0]
        };
        let bytes = [0, 2 * GIB, 5 * GIB, 6 * GIB].map(byte_at);
        assert_eq!(bytes, [7, 0, 0, 7]);
        assert_eq!(byte_at(5 * GIB + 4096), 7, "the range ends before");
    });
}

/// On AIO these go two ways: the kernel's queue and the threads beside it.
#[test]
fn d22_many_allocations_between_reads_and_writes_are_all_carried_out() {
    on_every_engine("allocations among others", |engine, driver| {
        let disk = Disk::new();
        let (read, written) = (numbered_file(8), disk.file("written", b""));
        let grown: Vec<_> = (0..100).map(|_| tempfile::tempfile().unwrap()).collect();
        let grown: Vec<_> = grown.into_iter().map(Arc::new).collect();
        let mut events = Vec::new();
        for (number, grown) in (0_u8..).zip(&grown) {
            let at = i64::from(number) * 512;
            events.push(IOEvent::new_no_buf(grown, IOAction::Allocate, at, 100));
            let block = vec![number; 512].into();
            events.push(IOEvent::new(&written, block, IOAction::Write, at));
            events.push(read_block(&read, number % 8));
        }
        let done = engine.carry_out(events);
        for (index, event) in done.into_iter().enumerate() {
            if event.action() == IOAction::Read {
                assert_is_block(event, u8::try_from(index / 3 % 8).unwrap());
            } else {
                event.get_write_result().unwrap();
            }
        }
        let content: Vec<u8> = (0..100).flat_map(|number| [number; 512]).collect();
        assert_eq!(std::fs::read(disk.path("written")).unwrap(), content);
        for (number, grown) in grown.iter().enumerate() {
            let len = grown.metadata().unwrap().len();
            assert_eq!(len, number as u64 * 512 + 100, "{driver}");
        }
    });
}

#[test]
fn d21_reads_across_and_beyond_the_end_cut_the_buffer_and_do_not_go_on_for_ever() {
    on_every_engine("the end of the file", |engine, _| {
        let file = numbered_file(2);
        for (offset, len) in [(8000, 192), (0, 8192), (8191, 1), (8192, 0), (1 << 40, 0)] {
            let buffer = Buffer::from(vec![7; 10_000]);
            let event = engine.one(IOEvent::new(&file, buffer, IOAction::Read, offset));
            assert_eq!(
                (event.get_result().unwrap(), event.get_size()),
                (len, 10_000)
            );
            assert!(event.is_end_of_file());
            let mut buffer = event.get_read_result().unwrap();
            assert_eq!(buffer.len(), len, "at {offset}");
            buffer.set_len(10_000).unwrap();
            assert!(
                buffer[len..].iter().all(|byte| *byte == 7),
                "beyond the end"
            );
        }
    });
}

#[test]
fn d1_a_transfer_that_was_reported_short_goes_on_behind_what_it_has() {
    for driver in drivers() {
        let engine = EventLoop::with_short_transfers(4, driver, ShortTransfers::Report).unwrap();
        let (tx, rx) = io_engine::channel(4);
        let ctx = IOContext::builder()
            .depth(4)
            .driver(driver)
            .short_transfers(ShortTransfers::Report)
            .build(rx, &io_engine::callback_worker::Inline)
            .unwrap();
        for mut engine in [Engine::of_loop(engine), Engine::of_context(ctx, tx)] {
            within_deadline("short transfers", move || {
                let file = Arc::new(tempfile::tempfile().unwrap());
                file.write_all_at(&[1; 5000], 100).unwrap();
                // Half of the region is in use: what is written beyond it can be seen.
                let mut buffer = Buffer::from(vec![9; 16_384]);
                buffer.set_len(8192).unwrap();
                let event = engine.one(IOEvent::new(&file, buffer, IOAction::Read, 100));
                assert_eq!((event.res(), event.is_end_of_file()), (5000, false));
                let short = event.get_write_result().unwrap_err();
                assert_eq!(short.kind(), ErrorKind::WriteZero);

                // Meanwhile there is more to read; what was read before must not be read again.
                file.write_all_at(&[2; 6000], 100).unwrap();
                let event = engine.one(event);
                assert_eq!((event.res(), event.is_end_of_file()), (6000, false));
                let event = engine.one(event);
                assert_eq!((event.res(), event.is_end_of_file()), (6000, true));
                file.write_all_at(&[3; 20_000], 100).unwrap();
                let event = engine.one(event);
                assert_eq!((event.res(), event.is_end_of_file()), (8192, false));
                let mut buffer = event.get_read_result().unwrap();
                let expected = [[1; 5000].as_slice(), &[2; 1000], &[3; 2192]].concat();
                assert_eq!(&*buffer, expected);
                buffer.set_len(16_384).unwrap();
                assert_eq!(buffer[8192..], [9; 8192], "beyond what was asked for");
                engine.finish();
            });
        }
    }
}

#[test]
fn a_complete_event_that_is_handed_over_again_is_complete_and_moves_nothing() {
    on_every_engine("complete events", |engine, _| {
        let file = Arc::new(tempfile::tempfile().unwrap());
        let write = IOEvent::new(&file, vec![1; 100].into(), IOAction::Write, 0);
        let event = engine.one(write);
        file.write_all_at(&[2; 100], 0).unwrap();
        let event = engine.one(event);
        assert_eq!(event.get_result().unwrap(), 100);
        event.get_write_result().unwrap();
        let mut content = [0; 100];
        file.read_exact_at(&mut content, 0).unwrap();
        assert_eq!(content, [2; 100]);
    });
}

#[test]
fn d25_buffers_of_every_kind_come_back_at_their_address() {
    on_every_engine("buffers", |engine, _| {
        let file = Arc::new(tempfile::tempfile().unwrap());
        let source = Bytes::from((0..=255).collect::<Vec<u8>>());
        let kinds = [
            Buffer::aligned(256).unwrap(),
            Buffer::from(vec![0; 256]),
            Buffer::from(BytesMut::zeroed(256)),
            Buffer::from(source.clone()),
        ];
        let write = IOEvent::new(&file, source.clone().into(), IOAction::Write, 0);
        let back = Bytes::from(engine.one(write).into_buffer().unwrap());
        assert_eq!((back.as_ptr(), &back), (source.as_ptr(), &source));
        for buffer in kinds {
            let (address, writable) = (buffer.as_ptr() as usize, buffer.is_writable());
            let action = if writable {
                IOAction::Read
            } else {
                IOAction::Write
            };
            let event = engine.one(IOEvent::new(&file, buffer, action, 0));
            assert_eq!(event.get_result().unwrap(), 256);
            let buffer = event.into_buffer().unwrap();
            assert_eq!(buffer.as_ptr() as usize, address, "{buffer:?}");
            assert_eq!(&*buffer, &*source);
        }
    });
}

#[test]
fn d7_an_event_keeps_its_file_open_until_its_callback_and_no_longer() {
    on_every_engine("kept files", |engine, _| {
        let disk = Disk::new();
        for number in 0..20_u8 {
            let file = disk.file("file", b"");
            let weak = Arc::downgrade(&file);
            let owned = Arc::new(OwnedFd::from(file.try_clone().unwrap()));
            let weak_owned = Arc::downgrade(&owned);
            let events = vec![
                IOEvent::new(file, vec![number; 512].into(), IOAction::Write, 0),
                IOEvent::new(owned, vec![number; 512].into(), IOAction::Write, 512),
            ];
            // Nobody but the events has the files now; their numbers would be free for others.
            let done = engine.carry_out(events);
            for event in &done {
                event.get_write_result().unwrap();
            }
            assert_eq!((weak.strong_count(), weak_owned.strong_count()), (1, 1));
            drop(done);
            assert_eq!((weak.strong_count(), weak_owned.strong_count()), (0, 0));
            assert_eq!(std::fs::read(disk.path("file")).unwrap(), [number; 1024]);
        }
    });
}
