//! The blocking backend on real files.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod carrying;
mod deadline;

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;
use std::thread;

use carrying::{Blocking, at, backend, carry_out, carry_out_one, noise, read, temporary, write};
use deadline::in_time;
use io_engine_core::{Backend, IOAction, IOEvent, MergedEvents, Request, Wait};
use io_engine_workers::BlockingSettings;

#[test]
fn what_is_written_is_read_back() {
    in_time(|| {
        let (file, mut backend) = (temporary(), backend(8));
        let bytes = noise(10_000, 1);
        let event = carry_out_one(&mut backend, write(&file, bytes.clone(), 4321));
        event.get_write_result().unwrap();
        let event = carry_out_one(&mut backend, read(&file, 10_000, 4321));
        assert_eq!(event.get_read_result().unwrap()[..], bytes);
        let mut stored = vec![0; 10_000];
        file.read_exact_at(&mut stored, 4321).unwrap();
        assert_eq!(stored, bytes);
    });
}

#[test]
fn runs_of_events_are_written_and_read_in_one_call_each() {
    in_time(|| {
        let (file, mut backend) = (temporary(), backend(8));
        let bytes = noise(6000, 2);
        let parts = [0..1, 1..1000, 1000..6000];
        let run = |events| Request::from(IOEvent::from_merged(MergedEvents::new(events).unwrap()));
        let (mut done, mut finished, mut again) = (Vec::new(), Vec::new(), Vec::new());

        let writes = parts.clone().map(|part| {
            let offset = i64::try_from(part.start).unwrap() + 50;
            write(&file, bytes[part].to_vec(), offset)
        });
        backend.push(run(writes.into())).unwrap();
        backend.drive(Wait::For(1), &mut done).unwrap();
        done.remove(0).settle(&mut finished, &mut again);
        assert_eq!((finished.len(), again.len()), (3, 0), "one call was enough");
        for event in finished.drain(..) {
            event.get_write_result().unwrap();
        }

        let reads = parts.clone().map(|part| {
            let offset = i64::try_from(part.start).unwrap() + 50;
            read(&file, part.len(), offset)
        });
        backend.push(run(reads.into())).unwrap();
        backend.drive(Wait::For(1), &mut done).unwrap();
        done.remove(0).settle(&mut finished, &mut again);
        assert_eq!((finished.len(), again.len()), (3, 0), "one call was enough");
        for (event, part) in finished.into_iter().zip(parts) {
            assert_eq!(event.get_read_result().unwrap()[..], bytes[part]);
        }
    });
}

#[test]
fn d21_a_read_over_the_end_of_the_file_ends_there() {
    in_time(|| {
        let (file, mut backend) = (temporary(), backend(8));
        let bytes = noise(5000, 3);
        file.write_all_at(&bytes, 0).unwrap();
        for (offset, expected) in [(1000, 4000), (4999, 1), (5000, 0), (9000, 0)] {
            let event = carry_out_one(&mut backend, read(&file, 8192, offset));
            assert!(event.is_end_of_file());
            let buffer = event.get_read_result().unwrap();
            assert_eq!(buffer.len(), expected);
            assert_eq!(buffer[..], bytes[5000 - expected..]);
        }
        // Of a run, each event gets its share.
        let events = vec![read(&file, 4096, 0), read(&file, 4096, 4096)];
        let run = IOEvent::from_merged(MergedEvents::new(events).unwrap());
        let finished = carry_out(&mut backend, vec![run]);
        assert_eq!(at(&finished, 0).get_result().unwrap(), 4096);
        assert_eq!(at(&finished, 4096).get_result().unwrap(), 904);
    });
}

#[test]
fn d1_a_continued_event_goes_on_where_it_stopped() {
    in_time(|| {
        let (file, mut backend) = (temporary(), backend(1));
        let bytes = noise(3000, 4);
        file.write_all_at(&bytes[..1000], 0).unwrap();
        let (mut done, mut finished) = (Vec::new(), Vec::new());
        backend.push(Request::from(read(&file, 3000, 0))).unwrap();
        backend.drive(Wait::For(1), &mut done).unwrap();
        done.remove(0).report(&mut finished);
        assert_eq!(finished[0].res(), 1000);
        // Other bytes than those that were read: they may not be read again.
        file.write_all_at(&[0; 1000], 0).unwrap();
        file.write_all_at(&bytes[1000..], 1000).unwrap();
        let event = carry_out_one(&mut backend, finished.remove(0));
        assert_eq!(event.res(), 3000);
        // Complete, so there is nothing to ask the kernel for.
        let event = carry_out_one(&mut backend, event);
        assert_eq!(event.get_read_result().unwrap()[..], bytes);
    });
}

#[test]
fn d13_syncs_at_depth_one_leave_the_place_free() {
    in_time(|| {
        let (file, mut backend) = (temporary(), backend(1));
        for _ in 0..20 {
            for event in [
                IOEvent::sync(&file),
                write(&file, noise(100, 5), 0),
                IOEvent::data_sync(&file),
            ] {
                let event = carry_out_one(&mut backend, event);
                event.get_write_result().unwrap();
            }
            assert_eq!(backend.in_flight(), 0);
        }
    });
}

#[test]
fn allocations_change_size_and_contents_as_they_say() {
    in_time(|| {
        let (file, mut backend) = (temporary(), backend(4));
        let mut carry = |action, offset, len| {
            let event = IOEvent::new_no_buf(&file, action, offset, len);
            let event = carry_out_one(&mut backend, event);
            assert_eq!(event.get_result().unwrap(), 0, "{action:?}");
            let meta = file.metadata().unwrap();
            (meta.size(), meta.blocks() > 0)
        };
        assert_eq!(carry(IOAction::AllocateKeepSize, 0, 8192), (0, true));
        assert_eq!(carry(IOAction::Allocate, 0, 8192), (8192, true));
        file.write_all_at(&[7; 8192], 0).unwrap();
        assert_eq!(carry(IOAction::PunchHole, 0, 4096).0, 8192);
        let mut bytes = [1; 8192];
        file.read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!((bytes[0], bytes[4095], bytes[4096]), (0, 0, 7));
    });
}

#[test]
fn zeroing_a_range_works_or_says_that_the_file_system_cannot() {
    in_time(|| {
        let (file, mut backend) = (temporary(), backend(4));
        file.write_all_at(&[7; 8192], 0).unwrap();
        let event = IOEvent::new_no_buf(&file, IOAction::ZeroRange, 4096, 4096);
        let event = carry_out_one(&mut backend, event);
        let mut bytes = [1; 8192];
        file.read_exact_at(&mut bytes, 0).unwrap();
        match event.get_result() {
            Ok(_) => assert_eq!((bytes[4095], bytes[4096], bytes[8191]), (7, 0, 0)),
            Err(error) => {
                assert_eq!(error.raw_os_error(), Some(libc::EOPNOTSUPP));
                assert_eq!(bytes, [7; 8192]);
            }
        }
    });
}

#[test]
fn d23_a_range_beyond_two_gigabytes_is_a_plain_success() {
    in_time(|| {
        let (file, mut backend) = (temporary(), backend(4));
        for len in [1 << 31, 3 << 30, 5 << 30] {
            // A hole in a hole takes no space.
            let event = IOEvent::new_no_buf(&file, IOAction::PunchHole, 0, len);
            let event = carry_out_one(&mut backend, event);
            assert!(event.is_done());
            assert_eq!(event.get_result().unwrap(), 0);
        }
    });
}

#[test]
fn d7_an_event_keeps_its_file_open() {
    in_time(|| {
        let mut backend = backend(4);
        let named = tempfile::NamedTempFile::new().unwrap();
        let file = Arc::new(File::options().write(true).open(named.path()).unwrap());
        let event = write(&file, vec![9; 10], 0);
        drop(file);
        // A file that takes the lowest free number: that of the file above, were it closed.
        let _other = temporary();
        let event = carry_out_one(&mut backend, event);
        event.get_write_result().unwrap();
        assert_eq!(std::fs::read(named.path()).unwrap(), [9; 10]);
    });
}

#[test]
fn many_requests_of_many_drivers_arrive_byte_for_byte() {
    const BLOCK: usize = 3000;
    const BLOCKS: usize = 400;
    let file = temporary();
    let drivers: Vec<_> = (0..4)
        .map(|driver| {
            let file = Arc::clone(&file);
            move || {
                let settings = BlockingSettings::with_depth(BLOCKS).threads(4);
                let mut backend = Blocking::new(settings).unwrap();
                let blocks = || (driver..BLOCKS * 4).step_by(4);
                let offset = |block| i64::try_from(block * BLOCK).unwrap();
                let bytes = |block: usize| noise(BLOCK, block as u64);
                let writes = blocks().map(|block| write(&file, bytes(block), offset(block)));
                for event in carry_out(&mut backend, writes.collect()) {
                    event.get_write_result().unwrap();
                }
                let reads = blocks().map(|block| read(&file, BLOCK, offset(block)));
                let finished = carry_out(&mut backend, reads.collect());
                assert_eq!(finished.len(), BLOCKS);
                for event in finished {
                    let block = usize::try_from(event.offset()).unwrap() / BLOCK;
                    assert_eq!(block % 4, driver);
                    assert_eq!(event.get_read_result().unwrap()[..], bytes(block));
                }
            }
        })
        .map(thread::spawn)
        .collect();
    in_time(|| drivers.into_iter().for_each(|one| one.join().unwrap()));
    let mut stored = vec![0; BLOCK * BLOCKS * 4];
    file.read_exact_at(&mut stored, 0).unwrap();
    for (block, bytes) in stored.chunks(BLOCK).enumerate() {
        assert_eq!(bytes, noise(BLOCK, block as u64));
    }
}
