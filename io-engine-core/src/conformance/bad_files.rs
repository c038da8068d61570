//! A file that cannot do what is asked for fails alone.

use std::fs::File;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;

use super::bench::Bench;
use super::probe::Probe;
use super::scratch::{Scratch, assert_same, errno_of, offset_of};
use crate::action::IOAction;
use crate::backend::Backend;
use crate::event::IOEvent;
use crate::file::FileHandle;

/// -1, a number that was closed, and one that never was open: `EBADF`, for every action.
pub fn a_number_that_is_no_open_file_is_ebadf<B: Backend<Probe>>(bench: &Bench<B>) {
    let scratch = bench.file(&[]);
    let mut pump = bench.pump(4);
    for fd in [-1, closed_number(scratch.file()), 9999] {
        let events = vec![
            IOEvent::new(fd, bench.zeroed(4096), IOAction::Read, 0),
            IOEvent::new(fd, bench.zeroed(4096), IOAction::Write, 0),
            IOEvent::sync(fd),
            IOEvent::data_sync(fd),
            IOEvent::new_no_buf(fd, IOAction::Allocate, 0, 4096),
        ];
        for event in pump.perform_all(events) {
            let action = event.action();
            assert_eq!(
                errno_of(event.get_result()),
                libc::EBADF,
                "{action:?} of {fd}"
            );
            assert_eq!(event.res(), -libc::EBADF);
        }
    }
}

/// D4: one bad descriptor in a batch, at its head, in its middle or at its end, and several at
/// once: the good ones of the same batch are carried out.
pub fn bad_files_leave_their_neighbours_in_the_batch_alone<B: Backend<Probe>>(bench: &Bench<B>) {
    let block = bench.fit(512);
    let content = super::Random::new(5).bytes(block * 8);
    let scratch = bench.file(&content);
    let closed = closed_number(scratch.file());
    let batches: [&[usize]; 6] = [
        &[0],
        &[4],
        &[7],
        &[0, 1, 2],
        &[1, 3, 5, 7],
        &[0, 1, 2, 3, 4, 5, 6, 7],
    ];
    for bad in batches {
        let mut pump = bench.pump(8);
        let read = |index: usize| {
            let handle = if bad.contains(&index) {
                FileHandle::Raw([-1, closed, 9999][index % 3])
            } else {
                FileHandle::from(scratch.file())
            };
            let offset = offset_of(index * block);
            IOEvent::new(handle, bench.zeroed(block), IOAction::Read, offset)
        };
        let events = pump.perform_all((0..8).map(read).collect());
        for (index, event) in events.into_iter().enumerate() {
            if bad.contains(&index) {
                assert_eq!(errno_of(event.get_result()), libc::EBADF);
            } else {
                let buffer = event.get_read_result().expect("a good neighbour");
                assert_same(&buffer, &content[index * block..][..block]);
            }
        }
    }
}

/// A whole run on a bad descriptor: each event has the error.
pub fn a_run_on_a_bad_file_fails_in_every_event<B: Backend<Probe>>(bench: &Bench<B>) {
    let read = |index: i64| IOEvent::new(-1, bench.zeroed(4096), IOAction::Read, index * 4096);
    let events = bench.pump(2).perform_run((0..5).map(read).collect());
    assert_eq!(events.len(), 5);
    for event in events {
        assert_eq!(errno_of(event.get_result()), libc::EBADF);
        assert_eq!(event.into_buffer().map(|buffer| buffer.len()), Some(4096));
    }
}

/// A write on a file open for reading and a read on one open for writing are `EBADF`.
pub fn the_wrong_mode_is_ebadf<B: Backend<Probe>>(bench: &Bench<B>) {
    let block = bench.fit(512);
    let scratch = bench.file(&vec![1; block]);
    let mut pump = bench.pump(2);
    let cases = [
        (scratch.reopen(true, false), IOAction::Write),
        (scratch.reopen(false, true), IOAction::Read),
    ];
    for (file, action) in cases {
        let event = IOEvent::new(file, bench.zeroed(block), action, 0);
        let event = pump.perform(event);
        assert_eq!(errno_of(event.get_result()), libc::EBADF, "{action:?}");
    }
    scratch.assert_content(&vec![1; block]);
}

/// A directory is an error, not a hang.
pub fn a_directory_is_an_error_and_no_hang<B: Backend<Probe>>(bench: &Bench<B>) {
    let directory = File::open(bench.medium().folder()).expect("the folder opens");
    let directory = Arc::new(directory);
    let mut pump = bench.pump(2);
    for action in [IOAction::Read, IOAction::Write] {
        let event = IOEvent::new(&directory, bench.zeroed(4096), action, 0);
        let errno = errno_of(pump.perform(event).get_result());
        let known = [libc::EISDIR, libc::EINVAL, libc::EBADF];
        assert!(known.contains(&errno), "{action:?}: errno {errno}");
    }
}

/// D7: an event made of an `Arc` keeps its file open, though nobody else does.
pub fn an_event_keeps_its_file_open<B: Backend<Probe>>(bench: &Bench<B>) {
    let block = bench.fit(512);
    let scratch: Scratch = bench.file(&vec![8; block]);
    let file = scratch.reopen(true, false);
    let event = IOEvent::new(file, bench.zeroed(block), IOAction::Read, 0);
    let event = bench.pump(1).perform(event);
    let FileHandle::File(file) = event.file().clone() else {
        panic!("the event came back with another handle");
    };
    assert_same(&event.get_read_result().expect("read"), &vec![8; block]);
    assert_eq!(Arc::strong_count(&file), 1, "nobody else holds it any more");
}

/// A number that was open a moment ago, far above those that other tests open meanwhile.
fn closed_number(file: &File) -> RawFd {
    let high = rustix::io::fcntl_dupfd_cloexec(file, 900).expect("a free number above 900");
    high.as_raw_fd()
}
