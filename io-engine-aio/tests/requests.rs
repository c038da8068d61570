//! Every operation on real files, good requests and bad ones.

mod harness;

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;

use harness::*;
use io_engine_aio::{
    AioBackend, AioSettings, Backend, Buffer, DEPTH_MAX, DirectAlignment, Full, IOAction, IOEvent,
    InvalidRequest, MergedEvents, Request, Wait,
};

#[test]
fn what_was_written_is_read_back() {
    within_deadline(|| {
        let scratch = Scratch::empty();
        let direct = scratch.reopen(libc::O_DIRECT | libc::O_RDWR);
        for file in [Ok(Arc::clone(&scratch.file)), direct] {
            let Ok(file) = file else {
                eprintln!("skipped: O_DIRECT: {}", file.unwrap_err());
                continue;
            };
            let mut ring = backend(16);
            (0..16).for_each(|n| push(&mut ring, write_of_block(&file, n)));
            for event in drain(&mut ring) {
                event.get_write_result().unwrap();
            }
            (0..16).for_each(|n| push(&mut ring, read_of_block(&file, n)));
            for (n, event) in drain(&mut ring).into_iter().enumerate() {
                assert_is_block(event, n);
            }
            file.set_len(0).unwrap();
        }
    });
}

#[test]
fn a_run_of_events_travels_as_one_vectored_request() {
    within_deadline(|| {
        let scratch = Scratch::empty();
        let mut ring = backend(1);
        for make in [write_of_block, read_of_block] {
            let run = (0..10).map(|n| make(&scratch.file, n)).collect();
            let merged = MergedEvents::new(run).expect("they are contiguous");
            push(&mut ring, IOEvent::from_merged(merged));
            let events = drain(&mut ring);
            assert_eq!(events.len(), 10);
            for (n, event) in events.into_iter().enumerate() {
                assert_eq!(event.get_result().unwrap(), BLOCK);
                assert_is_block(event, n);
            }
        }
    });
}

#[test]
fn a_read_at_the_end_of_the_file_is_short() {
    within_deadline(|| {
        let scratch = Scratch::empty();
        scratch.file.write_all_at(&[9; 100], 0).unwrap();
        let mut ring = backend(2);
        let event = carry_out(&mut ring, read_of_block(&scratch.file, 0));
        assert_eq!((event.res(), event.get_result().unwrap()), (100, 100));
    });
}

#[test]
fn d4_a_bad_descriptor_fails_alone_and_its_neighbours_go_on() {
    within_deadline(|| {
        let scratch = Scratch::with_blocks(6);
        let mut ring = backend(8);
        for n in 0..6 {
            let event = read_of_block(&scratch.file, n);
            match n {
                2 => {
                    let buffer = event.into_buffer().unwrap();
                    let offset = i64::try_from(n * BLOCK).unwrap();
                    push(&mut ring, IOEvent::new(-1, buffer, IOAction::Read, offset));
                }
                _ => push(&mut ring, event),
            }
        }
        let events = drain(&mut ring);
        assert_eq!(events.len(), 6);
        for (n, event) in events.into_iter().enumerate() {
            if n == 2 {
                assert_eq!(errno_of(&event), Some(libc::EBADF));
                assert_eq!(event.into_buffer().unwrap().len(), BLOCK);
            } else {
                assert_is_block(event, n);
            }
        }
    });
}

#[test]
fn d4_a_batch_of_bad_requests_only_is_answered_one_by_one() {
    within_deadline(|| {
        let scratch = Scratch::with_blocks(1);
        let write_only = scratch.reopen(libc::O_WRONLY).unwrap();
        let read_only = scratch.reopen(libc::O_RDONLY).unwrap();
        let full = Arc::new(File::options().write(true).open("/dev/full").unwrap());
        let mut ring = backend(4);
        push(&mut ring, read_of_block(&write_only, 0));
        push(&mut ring, write_of_block(&read_only, 1));
        // A device without fsync: EINVAL, as from a context that is gone.
        push(&mut ring, IOEvent::sync(&full));
        let mut done = Vec::new();
        ring.drive(Wait::For(3), &mut done).unwrap();
        let events = events_of(&mut done);
        let mut errnos: Vec<_> = events.iter().filter_map(errno_of).collect();
        errnos.sort_unstable();
        assert_eq!(errnos, [libc::EBADF, libc::EBADF, libc::EINVAL]);

        let event = carry_out(&mut ring, read_of_block(&scratch.file, 0));
        assert_is_block(event, 0);
    });
}

#[test]
fn d6_no_two_of_very_many_live_requests_share_a_slot() {
    within_deadline(|| {
        const DEPTH: usize = 16_384;
        let scratch = Scratch::empty();
        let numbers: Vec<u8> = (0..DEPTH as u64).flat_map(u64::to_ne_bytes).collect();
        scratch.file.write_all_at(&numbers, 0).unwrap();
        let mut ring = backend(DEPTH);
        assert_eq!(ring.capacity(), DEPTH);
        for n in 0..DEPTH {
            let offset = i64::try_from(n * 8).unwrap();
            let buffer = Buffer::from(vec![0; 8]);
            let event = IOEvent::new(&scratch.file, buffer, IOAction::Read, offset);
            push(&mut ring, event);
        }
        assert_eq!(ring.in_flight(), DEPTH);
        let events = drain(&mut ring);
        assert_eq!(events.len(), DEPTH);
        for (n, event) in events.into_iter().enumerate() {
            let bytes = event.get_read_result().unwrap();
            assert_eq!(*bytes, (n as u64).to_ne_bytes());
        }
    });
}

#[test]
fn d6_a_depth_out_of_range_is_refused_with_the_range() {
    for depth in [0, DEPTH_MAX + 1, 65_537, usize::MAX] {
        let settings = AioSettings::with_depth(depth);
        let error = AioBackend::<()>::new(settings).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(
            error.to_string().contains(&format!("1 to {DEPTH_MAX}")),
            "{error}"
        );
    }
}

#[test]
fn d12_more_requests_than_depth_are_refused_and_hold_nothing_up() {
    within_deadline(|| {
        let scratch = Scratch::with_blocks(64);
        let file = scratch.direct();
        let mut ring = backend(4);
        let mut done = Vec::with_capacity(4);
        let (mut served, mut refused) = (0, 0);
        let mut waiting: Vec<_> = (0..64).map(|n| read_of_block(&file, n)).collect();
        waiting.insert(30, IOEvent::sync(&scratch.file));
        let mut waiting: Vec<_> = waiting.into_iter().map(Request::from).collect();
        while served < 65 {
            while let Some(request) = waiting.pop() {
                if let Err(Full(request)) = ring.push(request) {
                    assert_eq!(ring.in_flight(), 4, "refused although there was room");
                    waiting.push(request);
                    refused += 1;
                    break;
                }
            }
            ring.drive(Wait::For(1), &mut done).unwrap();
            assert!(!done.is_empty());
            for event in events_of(&mut done) {
                event.get_result().unwrap();
                served += 1;
            }
        }
        assert!(refused > 0);
        assert_eq!(ring.in_flight(), 0);
    });
}

#[test]
fn d22_syncs_of_both_kinds_are_in_flight_together() {
    within_deadline(|| {
        let scratch = Scratch::with_blocks(8);
        let mut ring = backend(16);
        for round in 0..4 {
            for n in 0..4 {
                push(&mut ring, write_of_block(&scratch.file, round * 4 + n));
                push(&mut ring, IOEvent::sync(&scratch.file));
                push(&mut ring, IOEvent::data_sync(&scratch.file));
            }
            let events = drain(&mut ring);
            assert_eq!(events.len(), 12);
            for event in events {
                event.get_write_result().unwrap();
                let expected = if event.action().moves_bytes() {
                    BLOCK
                } else {
                    0
                };
                assert_eq!(event.get_result().unwrap(), expected);
            }
        }
    });
}

#[test]
fn d23_an_allocation_of_any_length_gives_zero() {
    within_deadline(|| {
        let scratch = Scratch::empty();
        scratch.file.set_len(1 << 20).unwrap();
        let mut ring = backend(4);
        // Holes are punched for nothing, however long. 2 GiB is i32::MIN as a count of bytes.
        for len in [1 << 31, (1 << 31) + 4096, 5 << 30] {
            let event = IOEvent::new_no_buf(&scratch.file, IOAction::PunchHole, 0, len);
            let event = carry_out(&mut ring, event);
            if errno_of(&event) == Some(libc::EOPNOTSUPP) {
                eprintln!("skipped: the file system has no holes");
                return;
            }
            assert!(event.is_done());
            assert_eq!((event.get_result().unwrap(), event.res()), (0, 0), "{len}");
        }
    });
}

#[test]
fn the_allocating_actions_do_what_fallocate_does() {
    within_deadline(|| {
        let scratch = Scratch::with_blocks(4);
        let file = &scratch.file;
        let mut ring = backend(4);
        let mut allocate = |action, offset, len| {
            let event = carry_out(&mut ring, IOEvent::new_no_buf(file, action, offset, len));
            match errno_of(&event) {
                Some(libc::EOPNOTSUPP) => eprintln!("skipped: {action:?}: no such mode here"),
                _ => assert_eq!(event.get_result().unwrap(), 0, "{action:?}"),
            }
            event.get_result().is_ok()
        };
        if allocate(IOAction::Allocate, 0, 32 * BLOCK as u64) {
            assert_eq!(file.metadata().unwrap().len(), 32 * BLOCK as u64);
        }
        if allocate(IOAction::AllocateKeepSize, 32 * BLOCK as i64, 1 << 20) {
            let metadata = file.metadata().unwrap();
            assert_eq!(metadata.len(), 32 * BLOCK as u64);
            assert!(metadata.blocks() * 512 >= 1 << 20);
        }
        let mut block = vec![0; BLOCK];
        if allocate(IOAction::PunchHole, BLOCK as i64, BLOCK as u64) {
            file.read_exact_at(&mut block, BLOCK as u64).unwrap();
            assert_eq!(block, vec![0; BLOCK]);
        }
        if allocate(IOAction::ZeroRange, 0, BLOCK as u64) {
            file.read_exact_at(&mut block, 0).unwrap();
            assert_eq!(block, vec![0; BLOCK]);
        }
        file.read_exact_at(&mut block, 2 * BLOCK as u64).unwrap();
        assert_eq!(block, vec![pattern(2); BLOCK]);
    });
}

#[test]
fn an_allocation_fails_alone() {
    within_deadline(|| {
        let scratch = Scratch::with_blocks(2);
        let mut ring = backend(4);
        push(&mut ring, read_of_block(&scratch.file, 1));
        push(&mut ring, IOEvent::new_no_buf(-1, IOAction::Allocate, 0, 1));
        let mut events = drain(&mut ring);
        assert_eq!(errno_of(&events[0]), Some(libc::EBADF));
        assert_is_block(events.remove(1), 1);
    });
}

#[test]
fn only_the_allocating_actions_are_not_supported_by_the_queue() {
    for action in [
        IOAction::Read,
        IOAction::Write,
        IOAction::Sync,
        IOAction::DataSync,
    ] {
        assert!(AioBackend::<()>::supports(action));
        assert_eq!(action.allocate_mode(), None);
    }
    for action in [
        IOAction::Allocate,
        IOAction::AllocateKeepSize,
        IOAction::PunchHole,
        IOAction::ZeroRange,
    ] {
        assert!(!AioBackend::<()>::supports(action));
        assert!(action.allocate_mode().is_some());
    }
}

#[test]
fn offset_minus_one_does_not_move_the_current_position() {
    within_deadline(|| {
        let scratch = Scratch::with_blocks(2);
        let mut ring = backend(1);
        let buffer = Buffer::aligned(BLOCK).unwrap();
        let event = IOEvent::new(&scratch.file, buffer, IOAction::Write, -1);
        let event = carry_out(&mut ring, event);
        assert_eq!(
            event.get_result().unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
        let mut block = [0; BLOCK];
        scratch.file.read_exact_at(&mut block, 0).unwrap();
        assert_eq!(block, [pattern(0); BLOCK]);
    });
}

#[test]
fn a_misaligned_direct_request_says_what_is_misaligned() {
    within_deadline(|| {
        let scratch = Scratch::with_blocks(2);
        let file = scratch.direct();
        if DirectAlignment::of(file.as_raw_fd()).is_none_or(|needs| needs.offset < 512) {
            eprintln!("skipped: this file system demands no alignment");
            return;
        }
        let mut ring = backend(1);
        let buffer = Buffer::aligned(BLOCK).unwrap();
        let event = IOEvent::new(&file, buffer, IOAction::Read, 100);
        let error = carry_out(&mut ring, event).get_result().unwrap_err();
        let invalid = error.into_inner().unwrap().downcast().unwrap();
        assert!(
            matches!(*invalid, InvalidRequest::Misaligned { given: 100, .. }),
            "{invalid}"
        );
    });
}

#[test]
fn completions_are_appended_to_what_is_there() {
    within_deadline(|| {
        let scratch = Scratch::with_blocks(4);
        let mut ring = backend(2);
        let mut done = Vec::new();
        for n in 0..4 {
            push(&mut ring, read_of_block(&scratch.file, n));
            ring.drive(Wait::For(1), &mut done).unwrap();
            assert_eq!(done.len(), n + 1);
        }
        let events = events_of(&mut done);
        for (n, event) in events.into_iter().enumerate() {
            assert_is_block(event, n);
        }
    });
}
