//! What the blocking backend answers to what cannot work.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod carrying;
mod deadline;

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::Arc;

use carrying::{Blocking, at, backend, carry_out, carry_out_one, noise, read, temporary, write};
use deadline::in_time;
use io_engine_core::{Backend, Buffer, DirectAlignment, IOAction, IOEvent, InvalidRequest};
use io_engine_workers::BlockingSettings;

#[test]
fn d4_a_bad_file_spoils_no_neighbour() {
    in_time(|| {
        let (file, mut backend) = (temporary(), backend(64));
        let bytes = noise(64 * 100, 6);
        let events = (0..64).map(|index: i64| {
            let part = bytes[usize::try_from(index).unwrap() * 100..][..100].to_vec();
            if index % 3 == 0 {
                IOEvent::new(-1, Buffer::from(part), IOAction::Write, index * 100)
            } else {
                write(&file, part, index * 100)
            }
        });
        let finished = carry_out(&mut backend, events.collect());
        for index in 0..64 {
            let result = at(&finished, index * 100).get_write_result();
            if index % 3 == 0 {
                assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::EBADF));
            } else {
                result.unwrap();
            }
        }
    });
}

#[test]
fn a_file_of_the_wrong_kind_or_mode_is_an_error_of_its_event() {
    in_time(|| {
        let mut backend = backend(4);
        let named = tempfile::NamedTempFile::new().unwrap();
        let read_only = Arc::new(File::open(named.path()).unwrap());
        let folder = Arc::new(File::open(std::env::temp_dir()).unwrap());
        let event = carry_out_one(&mut backend, write(&read_only, vec![1; 10], 0));
        let error = event.get_write_result().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EBADF));
        let event = carry_out_one(&mut backend, read(&folder, 10, 0));
        let error = event.get_read_result().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EISDIR));
        let full = Arc::new(File::options().write(true).open("/dev/full").unwrap());
        let event = carry_out_one(&mut backend, write(&full, vec![1; 10], 0));
        let error = event.get_write_result().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOSPC));
    });
}

#[test]
fn what_cannot_work_is_answered_and_never_carried_out() {
    in_time(|| {
        let (file, mut backend) = (temporary(), backend(8));
        file.write_all_at(&[7; 100], 0).unwrap();
        let events = vec![
            // To the kernel an offset of -1 may mean the current position.
            write(&file, vec![1; 10], -1),
            write(&file, Vec::new(), 5),
            write(&file, vec![1; 10], i64::MAX - 5),
            IOEvent::new_no_buf(&file, IOAction::Read, 6, 10),
            IOEvent::new_no_buf(&file, IOAction::PunchHole, 7, 0),
        ];
        let finished = carry_out(&mut backend, events);
        let invalid = |offset| {
            let error = at(&finished, offset).get_result().unwrap_err();
            let inner = error.get_ref().expect("no errno of the kernel");
            *inner.downcast_ref::<InvalidRequest>().unwrap()
        };
        assert_eq!(invalid(-1), InvalidRequest::NegativeOffset { offset: -1 });
        assert_eq!(invalid(5), InvalidRequest::EmptyBuffer);
        assert!(matches!(
            invalid(i64::MAX - 5),
            InvalidRequest::OffsetOverflow { .. }
        ));
        assert_eq!(invalid(6), InvalidRequest::NoBuffer);
        assert_eq!(invalid(7), InvalidRequest::EmptyBuffer);
        assert_eq!(file.metadata().unwrap().len(), 100);
    });
}

#[test]
fn d26_misaligned_direct_io_names_what_is_misaligned() {
    in_time(|| {
        let named = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        named.as_file().set_len(65_536).unwrap();
        let direct = File::options()
            .read(true)
            .custom_flags(libc::O_DIRECT)
            .open(named.path());
        let Ok(direct) = direct.map(Arc::new) else {
            return println!("skipped: the file system of this folder has no O_DIRECT");
        };
        let Some(alignment) = DirectAlignment::of(direct.as_raw_fd()) else {
            return println!("skipped: the file system of this folder tells no alignment");
        };
        let mut backend = backend(4);
        // Beyond the end, too, where the kernel may answer 0 without looking.
        for offset in [1, 65_537] {
            let buffer = Buffer::aligned(4096).unwrap();
            let event = IOEvent::new(&direct, buffer, IOAction::Read, offset);
            let event = carry_out_one(&mut backend, event);
            let error = event.get_read_result().unwrap_err();
            let inner = error.get_ref().expect("no errno of the kernel");
            let InvalidRequest::Misaligned { required, .. } = inner.downcast_ref().unwrap() else {
                panic!("{error}");
            };
            assert_eq!(*required, alignment.offset);
        }
        let buffer = Buffer::aligned(4096).unwrap();
        let event = IOEvent::new(&direct, buffer, IOAction::Read, 4096);
        let event = carry_out_one(&mut backend, event);
        assert_eq!(event.get_read_result().unwrap()[..], [0; 4096]);
    });
}

#[test]
fn settings_out_of_range_are_refused_with_advice() {
    for settings in [
        BlockingSettings::with_depth(0),
        BlockingSettings::with_depth(io_engine_core::DEPTH_MAX + 1),
        BlockingSettings::with_depth(usize::MAX),
        BlockingSettings::with_depth(4).threads(0),
    ] {
        let error = Blocking::new(settings).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        assert!(!error.advice().is_empty());
    }
    assert_eq!(backend(7).capacity(), 7);
    let deepest = BlockingSettings::with_depth(io_engine_core::DEPTH_MAX).threads(1);
    let capacity = Blocking::new(deepest).unwrap().capacity();
    assert_eq!(capacity, io_engine_core::DEPTH_MAX);
}
