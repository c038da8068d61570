//! Whatever is handed over, each event gets its one callback, says what was wrong, and leaves its
//! neighbours alone.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use io_engine::callback_worker::Inline;
use io_engine::tasks::{IOAction, IOEvent};
use io_engine::{
    AlignedPart, Buffer, DEPTH_MAX, EventLoop, IOContext, InvalidRequest, TRANSFER_BYTES_MAX,
};
use machine::disk::{Disk, closed_number, put_behind};
use machine::engine::{Engine, Reply, WAYS, Way, assert_is_block, errno_of, read_block};
use machine::{drivers, numbered_file, within_deadline};

mod machine;

/// What the event was refused as; a panic if it was not.
fn refusal(event: &IOEvent<Reply>) -> InvalidRequest {
    let error = event.get_result().expect_err("it cannot work");
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{error}");
    assert_eq!((event.res(), event.transferred()), (-libc::EINVAL, 0));
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    *inner.unwrap_or_else(|| panic!("not refused by name: {error}"))
}

/// Runs `body` for every driver that starts here, in every way, each with a deadline.
fn on_every_engine(what: &str, body: impl Fn(&mut Engine) + Clone + Send + 'static) {
    for driver in drivers() {
        for way in WAYS {
            let body = body.clone();
            within_deadline(&format!("{what}: {driver}, {way:?}"), move || {
                let mut engine = Engine::new(driver, way, 8);
                body(&mut engine);
                engine.finish();
            });
        }
    }
}

type Case = (fn(&Arc<File>) -> IOEvent<Reply>, InvalidRequest);

fn cannot_work() -> Vec<Case> {
    const BEYOND: InvalidRequest = InvalidRequest::OffsetOverflow {
        offset: i64::MAX - 99,
        len: 100,
    };
    vec![
        (
            |f| IOEvent::new(f, Buffer::from(vec![]), IOAction::Read, 0),
            InvalidRequest::EmptyBuffer,
        ),
        (
            |f| IOEvent::new(f, Buffer::from(vec![]), IOAction::Write, 0),
            InvalidRequest::EmptyBuffer,
        ),
        (
            |f| IOEvent::new_no_buf(f, IOAction::Allocate, 0, 0),
            InvalidRequest::EmptyBuffer,
        ),
        (
            |f| IOEvent::new_no_buf(f, IOAction::Read, 0, 4096),
            InvalidRequest::NoBuffer,
        ),
        (
            |f| IOEvent::new_no_buf(f, IOAction::Write, 0, 0),
            InvalidRequest::NoBuffer,
        ),
        (
            |f| IOEvent::new(f, vec![0; 10].into(), IOAction::Read, -5),
            InvalidRequest::NegativeOffset { offset: -5 },
        ),
        (
            |f| IOEvent::new(f, vec![0; 10].into(), IOAction::Write, i64::MIN),
            InvalidRequest::NegativeOffset { offset: i64::MIN },
        ),
        (
            |f| IOEvent::new_no_buf(f, IOAction::PunchHole, -4096, 4096),
            InvalidRequest::NegativeOffset { offset: -4096 },
        ),
        (
            |f| IOEvent::new(f, vec![0; 100].into(), IOAction::Write, i64::MAX - 99),
            BEYOND,
        ),
        (
            |f| IOEvent::new(f, vec![0; 100].into(), IOAction::Read, i64::MAX - 99),
            BEYOND,
        ),
        (
            |f| IOEvent::new_no_buf(f, IOAction::Allocate, 1, u64::MAX),
            InvalidRequest::OffsetOverflow {
                offset: 1,
                len: u64::MAX,
            },
        ),
        (
            |f| IOEvent::new(f, Bytes::from_static(b"shared").into(), IOAction::Read, 0),
            InvalidRequest::ReadOnlyBuffer,
        ),
    ]
}

#[test]
fn d2_what_cannot_work_is_refused_by_name_and_its_neighbours_are_served() {
    on_every_engine("refusals", |engine| {
        let file = numbered_file(4);
        for (make, expected) in cannot_work() {
            let events = vec![
                read_block(&file, 1),
                make(&file),
                read_block(&file, 2),
                make(&file),
            ];
            let mut done = engine.carry_out(events);
            assert_eq!(refusal(&done.remove(3)), expected);
            assert_is_block(done.remove(2), 2);
            assert_eq!(refusal(&done.remove(1)), expected);
            assert_is_block(done.remove(0), 1);
        }
        assert_eq!(file.metadata().unwrap().len(), 4 * 4096);
    });
}

#[test]
fn a_refused_event_keeps_its_buffer_and_can_be_handed_over_once_more() {
    on_every_engine("handing over again", |engine| {
        let file = numbered_file(1);
        let event = engine.one(IOEvent::new(
            &file,
            vec![7; 100].into(),
            IOAction::Write,
            -1,
        ));
        let buffer = event.into_buffer().unwrap();
        assert_eq!(&*buffer, &[7; 100]);
        let event = engine.one(IOEvent::new(&file, buffer, IOAction::Write, 0));
        event.get_write_result().unwrap();
    });
}

#[test]
fn offset_minus_one_moves_no_file_position_and_writes_nothing() {
    on_every_engine("offset -1", |engine| {
        let mut file = numbered_file(1);
        file.seek(SeekFrom::Start(7)).unwrap();
        for action in [IOAction::Write, IOAction::Read, IOAction::Allocate] {
            let buffer = Buffer::from(vec![9; 512]);
            let event = engine.one(IOEvent::new(&file, buffer, action, -1));
            let expected = InvalidRequest::NegativeOffset { offset: -1 };
            assert_eq!(refusal(&event), expected, "{action:?}");
            assert_eq!(file.stream_position().unwrap(), 7, "{action:?}");
        }
        let mut content = [1; 4096];
        file.read_exact_at(&mut content, 0).unwrap();
        assert_eq!((content, file.metadata().unwrap().len()), ([0; 4096], 4096));
    });
}

fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

#[test]
fn d24_a_transfer_longer_than_the_kernel_moves_is_refused_without_touching_it() {
    const LEN: usize = TRANSFER_BYTES_MAX + 1;
    let expected = InvalidRequest::TooLong {
        len: LEN as u64,
        max: TRANSFER_BYTES_MAX as u64,
    };
    for driver in drivers() {
        within_deadline("a long transfer", move || {
            let mut engine = Engine::new(driver, Way::Loop, 2);
            let file = numbered_file(1);
            // Zeroed pages that nobody has touched take no memory.
            let mut buffer = Buffer::from(vec![0_u8; LEN]);
            let before = resident_bytes();
            for action in [IOAction::Read, IOAction::Write] {
                let event = engine.one(IOEvent::new(&file, buffer, action, 0));
                assert_eq!(refusal(&event), expected, "{driver} {action:?}");
                buffer = event.into_buffer().unwrap();
                assert_eq!(buffer.len(), LEN);
            }
            let grown = resident_bytes().saturating_sub(before);
            assert!(
                grown < LEN as u64 / 4,
                "{driver}: {grown} bytes were touched"
            );
            assert_eq!(file.metadata().unwrap().len(), 4096);
            assert_is_block(engine.one(read_block(&file, 0)), 0);
        });
    }
}

#[test]
fn d6_a_depth_out_of_range_is_an_error_that_names_the_range() {
    for driver in drivers() {
        for depth in [
            0,
            DEPTH_MAX + 1,
            65_536,
            1 << 20,
            u32::MAX as usize + 2,
            usize::MAX,
        ] {
            let from_loop = EventLoop::<()>::new(depth, driver).unwrap_err();
            let (_tx, rx) = io_engine::channel::<()>(1);
            let from_context = IOContext::new(depth, rx, &Inline, driver).unwrap_err();
            for error in [from_loop, from_context] {
                assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
                let text = error.to_string();
                assert!(text.contains(&format!("depth {depth}")), "{text}");
                assert!(text.contains(&format!("1 to {DEPTH_MAX}")), "{text}");
            }
        }
    }
}

/// `len` writable bytes at an address that is no multiple of anything.
fn odd_buffer(len: usize) -> Buffer {
    let mut bytes = BytesMut::zeroed(len + 2);
    let odd = usize::from((bytes.as_ptr() as usize).is_multiple_of(2));
    let mut buffer = Buffer::from(bytes.split_off(odd));
    buffer.set_len(len).unwrap();
    assert_eq!(buffer.as_ptr() as usize % 2, 1);
    buffer
}

#[test]
fn d26_misaligned_direct_requests_say_which_part_what_was_demanded_and_what_was_given() {
    on_every_engine("misalignment", |engine| {
        let disk = Disk::new();
        disk.file("file", &[3; 16384]);
        let Some((file, alignment)) = disk.direct("file") else {
            return;
        };
        for action in [IOAction::Read, IOAction::Write] {
            let odd = odd_buffer(4096);
            let address = odd.as_ptr() as u64;
            let events = vec![
                IOEvent::new(&file, odd, action, 0),
                IOEvent::new(&file, Buffer::aligned(4096).unwrap(), action, 100),
                IOEvent::new(&file, Buffer::aligned(1000).unwrap(), action, 4096),
                IOEvent::new(&file, Buffer::aligned(4096).unwrap(), IOAction::Read, 8192),
            ];
            let mut done = engine.carry_out(events);
            let good = done.pop().unwrap().get_read_result().unwrap();
            assert_eq!(&*good, &[3; 4096]);
            let expected = [
                (AlignedPart::Address, alignment.memory, address),
                (AlignedPart::Offset, alignment.offset, 100),
                (AlignedPart::Length, alignment.offset, 1000),
            ];
            for (event, (what, required, given)) in done.iter().zip(expected) {
                let expected = InvalidRequest::Misaligned {
                    what,
                    required,
                    given,
                };
                assert_eq!(refusal(event), expected, "{action:?}");
            }
        }
        assert_eq!(std::fs::read(disk.path("file")).unwrap(), [3; 16384]);
    });
}

#[test]
fn a_number_that_is_reused_for_another_kind_of_file_is_never_refused_wrongly() {
    on_every_engine("reused numbers", |engine| {
        let disk = Disk::new();
        let buffered = disk.file("buffered", &[1; 8192]);
        disk.file("direct", &[2; 8192]);
        let Some((direct, _)) = disk.direct("direct") else {
            return;
        };
        let number = OwnedFd::from(buffered.try_clone().unwrap());
        let odd_read = || {
            let handle = number.as_raw_fd();
            IOEvent::new(handle, odd_buffer(1000), IOAction::Read, 100)
        };
        // What the engine first learns of the number is that it is direct.
        put_behind(&number, &direct);
        refusal(&engine.one(odd_read()));
        for round in 0..20 {
            put_behind(&number, &buffered);
            for _ in 0..=round % 3 {
                let read = engine.one(odd_read()).get_read_result();
                assert_eq!(&*read.unwrap(), &[1; 1000], "round {round}");
            }
            put_behind(&number, &direct);
            for _ in 0..=round % 2 {
                let invalid = refusal(&engine.one(odd_read()));
                assert!(matches!(invalid, InvalidRequest::Misaligned { .. }));
            }
        }
    });
}

#[test]
fn d4_a_bad_descriptor_fails_alone_and_the_engine_goes_on() {
    on_every_engine("bad descriptors", |engine| {
        let disk = Disk::new();
        disk.file("file", &[5; 4096]);
        let file = numbered_file(8);
        let closed = closed_number(&file);
        let read_only = Arc::new(File::open(disk.path("file")).unwrap());
        let write_only = File::options().write(true).open(disk.path("file"));
        let write_only = Arc::new(write_only.unwrap());
        let by_path = File::options()
            .read(true)
            .custom_flags(libc::O_PATH)
            .open(disk.path("file"));
        let by_path = Arc::new(by_path.unwrap());
        let block = || Buffer::from(vec![0; 512]);
        let bad = [
            IOEvent::new(-1, block(), IOAction::Read, 0),
            IOEvent::new(9999, block(), IOAction::Write, 0),
            IOEvent::new(closed, block(), IOAction::Read, 0),
            IOEvent::sync(closed),
            IOEvent::data_sync(-1),
            IOEvent::new_no_buf(9999, IOAction::Allocate, 0, 512),
            IOEvent::new(i32::MIN, block(), IOAction::Read, 0),
            IOEvent::new(&read_only, block(), IOAction::Write, 0),
            IOEvent::new(&write_only, block(), IOAction::Read, 0),
            IOEvent::new(&by_path, block(), IOAction::Read, 0),
        ];
        let bad_count = bad.len();
        // A good one before and after each.
        let mut events = vec![read_block(&file, 0)];
        for (block, event) in (1..).zip(bad) {
            events.push(event);
            events.push(read_block(&file, block % 8));
        }
        let done = engine.carry_out(events);
        for (index, event) in done.into_iter().enumerate() {
            if index % 2 == 1 {
                assert_eq!(errno_of(&event), Some(libc::EBADF), "{event:?}");
            } else {
                assert_is_block(event, u8::try_from(index / 2 % 8).unwrap());
            }
        }
        assert_eq!(bad_count, 10);
        assert_eq!(std::fs::read(disk.path("file")).unwrap(), [5; 4096]);
    });
}

#[test]
fn a_directory_is_an_error_and_no_hang() {
    on_every_engine("directories", |engine| {
        let disk = Disk::new();
        let directory = Arc::new(File::open(disk.path("")).unwrap());
        for action in [IOAction::Read, IOAction::Write] {
            let event = IOEvent::new(&directory, vec![0; 512].into(), action, 0);
            let errno = errno_of(&engine.one(event)).unwrap();
            let known = [libc::EISDIR, libc::EINVAL, libc::EBADF];
            assert!(known.contains(&errno), "{action:?}: errno {errno}");
        }
        assert_is_block(engine.one(read_block(&numbered_file(1), 0)), 0);
    });
}

#[test]
fn d11_failing_events_without_a_callback_are_dropped_and_the_others_get_theirs() {
    on_every_engine("no callback", |engine| {
        let file = numbered_file(2);
        let mut events = Vec::new();
        for number in 0..20 {
            events.push(IOEvent::new(-1, vec![0; 10].into(), IOAction::Read, 0));
            events.push(IOEvent::new(&file, vec![0; 10].into(), IOAction::Read, -1));
            let mut good = read_block(&file, 1);
            good.set_callback(engine.callback(number));
            events.push(good);
        }
        engine.submit(events);
        for event in engine.collect(20) {
            assert_is_block(event, 1);
        }
    });
}
