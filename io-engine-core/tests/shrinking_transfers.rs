//! A direct transfer that is continued from a sector before and then brings less than was known already.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::Arc;

use io_engine_core::sim::SimDisk;
use io_engine_core::{Buffer, Completion, DirectAlignment, IOAction, IOEvent, Request};

fn begun(action: IOAction) -> Request<()> {
    let file = SimDisk::new(1).open_direct("a");
    let buffer = Buffer::aligned(4096).unwrap();
    Request::from(IOEvent::new(file, buffer, action, 0))
}

/// Settles an answer after which the request has to go on.
fn go_on(request: Request<()>, answer: i64) -> Request<()> {
    let (mut finished, mut again) = (Vec::new(), Vec::new());
    Completion::from_kernel(request, answer).settle(&mut finished, &mut again);
    assert!(finished.is_empty(), "it ended with {:?}", finished[0]);
    again.remove(0)
}

fn end(request: Request<()>, answer: i64) -> IOEvent<()> {
    let (mut finished, mut again) = (Vec::new(), Vec::new());
    Completion::from_kernel(request, answer).settle(&mut finished, &mut again);
    assert!(again.is_empty(), "it goes on");
    finished.remove(0)
}

#[test]
fn it_is_neither_the_end_of_the_file_nor_a_file_that_takes_nothing() {
    for action in [IOAction::Read, IOAction::Write] {
        let request = go_on(go_on(begun(action), 700), 100);
        let event = end(request, 4096 - 512);
        assert_eq!(event.get_result().ok(), Some(4096), "{action:?}");
        assert!(!event.is_end_of_file());
    }
}

#[test]
fn a_read_that_comes_to_the_same_place_or_brings_nothing_has_met_the_end() {
    for last in [700 - 512, 0] {
        let event = end(go_on(begun(IOAction::Read), 700), last);
        assert!(event.is_end_of_file());
        assert_eq!(event.get_result().ok(), Some(700));
    }
}

#[test]
fn a_write_that_takes_nothing_is_an_error() {
    let event = end(go_on(begun(IOAction::Write), 700), 0);
    let error = event.get_result().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WriteZero);
    assert_eq!(event.transferred(), 700);
}

#[test]
fn one_that_goes_on_like_this_for_ever_ends_with_an_error() {
    let mut request = go_on(begun(IOAction::Read), 700);
    for _ in 1..1000 {
        request = go_on(request, 100);
    }
    let event = end(request, 100);
    assert_eq!(
        event.get_result().unwrap_err().kind(),
        std::io::ErrorKind::TimedOut
    );
    assert_eq!(event.transferred(), 700);
}

/// A file on the disk of so many bytes, open past the page cache; `None`, and a report, where there is no
/// such.
fn direct_file(bytes: u64) -> Option<Arc<File>> {
    let named = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    named.as_file().write_all_at(&[1], bytes - 1).unwrap();
    let direct = File::options()
        .read(true)
        .custom_flags(libc::O_DIRECT)
        .open(named.path());
    let direct = direct.ok().map(Arc::new);
    let is_direct = |file: &Arc<File>| {
        let alignment = DirectAlignment::of(std::os::fd::AsRawFd::as_raw_fd(file));
        alignment.is_some_and(|alignment| alignment.offset == 512)
    };
    let found = direct.filter(is_direct);
    if found.is_none() {
        let _ = writeln!(
            std::io::stderr(),
            "skipped: short direct reads: no direct file of sectors of 512"
        );
    }
    found
}

/// A device may be short twice at the same place; how long the file is says that it is not the end.
#[test]
#[cfg_attr(miri, ignore = "O_DIRECT is not known to the interpreter")]
fn a_read_that_comes_to_the_same_place_goes_on_where_the_file_does() {
    let (Some(long), Some(short)) = (direct_file(4096), direct_file(700)) else {
        return;
    };
    let read = |file: &Arc<File>| {
        let event = IOEvent::new(file, Buffer::aligned(4096).unwrap(), IOAction::Read, 0);
        go_on(Request::from(event), 700)
    };
    let event = end(go_on(read(&long), 700 - 512), 4096 - 512);
    assert_eq!(event.get_result().ok(), Some(4096));
    assert!(!event.is_end_of_file());

    let event = end(read(&short), 700 - 512);
    assert_eq!(event.get_result().ok(), Some(700));
    assert!(event.is_end_of_file());
}
