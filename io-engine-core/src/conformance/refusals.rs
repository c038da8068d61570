//! What cannot work is refused with a reason, and the kernel never sees it.

use std::io::{Seek, SeekFrom};

use bytes::Bytes;

use super::bench::Bench;
use super::probe::Probe;
use super::scratch::Scratch;
use crate::action::IOAction;
use crate::backend::Backend;
use crate::buffer::Buffer;
use crate::event::IOEvent;
use crate::invalid_request::InvalidRequest;

/// No bytes at all: 0 would mean the end of the file.
pub fn an_empty_buffer_is_refused<B: Backend<Probe>>(bench: &Bench<B>) {
    assert_refused(bench, |scratch, action| {
        let buffer = Buffer::from(Vec::with_capacity(4096));
        let event = IOEvent::new(scratch.file(), buffer, action, 0);
        (event, InvalidRequest::EmptyBuffer)
    });
}

/// A transfer from nowhere or to nowhere.
pub fn a_transfer_without_a_buffer_is_refused<B: Backend<Probe>>(bench: &Bench<B>) {
    assert_refused(bench, |scratch, action| {
        let event = IOEvent::new_no_buf(scratch.file(), action, 0, 4096);
        (event, InvalidRequest::NoBuffer)
    });
}

/// -1 would mean "the current position" to the kernel, which must not move.
pub fn offset_minus_one_is_refused_and_the_position_stays<B: Backend<Probe>>(bench: &Bench<B>) {
    assert_negative_offset_refused(bench, -1);
}

/// Any other offset before the beginning of the file.
pub fn a_negative_offset_is_refused<B: Backend<Probe>>(bench: &Bench<B>) {
    for offset in [-2, -4096, i64::MIN] {
        assert_negative_offset_refused(bench, offset);
    }
}

/// A range that ends behind the largest offset there is.
pub fn a_range_beyond_the_largest_offset_is_refused<B: Backend<Probe>>(bench: &Bench<B>) {
    for offset in [i64::MAX, i64::MAX - 4095] {
        assert_refused(bench, |scratch, action| {
            let event = IOEvent::new(scratch.file(), bench.zeroed(4096), action, offset);
            (event, InvalidRequest::OffsetOverflow { offset, len: 4096 })
        });
    }
    let scratch = bench.file(&[1; 512]);
    let mut pump = bench.pump(1);
    let (offset, len) = (1, u64::MAX);
    let event = IOEvent::new_no_buf(scratch.file(), IOAction::Allocate, offset, len);
    let invalid = refusal_of(&pump.perform(event));
    assert_eq!(invalid, InvalidRequest::OffsetOverflow { offset, len });
    scratch.assert_content(&[1; 512]);
}

/// A read into memory that others share.
pub fn a_read_into_shared_bytes_is_refused<B: Backend<Probe>>(bench: &Bench<B>) {
    let block = bench.fit(4096);
    let scratch = bench.file(&vec![1; block]);
    let shared = Bytes::from(bench.buffer(&vec![2; block]));
    let buffer = Buffer::from(shared.clone());
    let event = IOEvent::new(scratch.file(), buffer, IOAction::Read, 0);
    let event = bench.pump(1).perform(event);
    assert_eq!(refusal_of(&event), InvalidRequest::ReadOnlyBuffer);
    assert!(shared.iter().all(|&byte| byte == 2), "shared bytes changed");
}

/// An allocation of an empty range.
pub fn an_empty_allocation_is_refused<B: Backend<Probe>>(bench: &Bench<B>) {
    let scratch = bench.file(&[1; 512]);
    let mut pump = bench.pump(1);
    for action in super::allocation::ALLOCATIONS {
        let event = IOEvent::new_no_buf(scratch.file(), action, 0, 0);
        let event = pump.perform(event);
        assert_eq!(
            refusal_of(&event),
            InvalidRequest::EmptyBuffer,
            "{action:?}"
        );
        event.get_write_result().expect_err("nothing was done");
    }
    scratch.assert_content(&[1; 512]);
}

/// Refused and good ones in one batch: each has its own answer.
pub fn refusals_leave_their_neighbours_alone<B: Backend<Probe>>(bench: &Bench<B>) {
    let block = bench.fit(512);
    let scratch = bench.file(&vec![4; block]);
    let read = |index: usize| {
        let offset = if index.is_multiple_of(2) { -1 } else { 0 };
        IOEvent::new(scratch.file(), bench.zeroed(block), IOAction::Read, offset)
    };
    let events = bench.pump(8).perform_all((0..8).map(read).collect());
    for (index, event) in events.into_iter().enumerate() {
        if index.is_multiple_of(2) {
            refusal_of(&event);
        } else {
            event.get_read_result().expect("a good neighbour");
        }
    }
}

/// The reason in the error of an event.
pub(super) fn refusal_of(event: &IOEvent<Probe>) -> InvalidRequest {
    assert!(event.is_done());
    let error = event.get_result().expect_err("it must be refused");
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    let reason = error.get_ref().and_then(|inner| inner.downcast_ref());
    *reason.unwrap_or_else(|| panic!("an error without a reason: {error}"))
}

fn assert_negative_offset_refused<B: Backend<Probe>>(bench: &Bench<B>, offset: i64) {
    assert_refused(bench, |scratch, action| {
        let event = IOEvent::new(scratch.file(), bench.zeroed(4096), action, offset);
        (event, InvalidRequest::NegativeOffset { offset })
    });
}

/// Fails unless a read and a write that `make` makes are refused for its reason, and neither the
/// file nor its position has changed.
fn assert_refused<B: Backend<Probe>>(
    bench: &Bench<B>,
    make: impl Fn(&Scratch, IOAction) -> (IOEvent<Probe>, InvalidRequest),
) {
    const POSITION: u64 = 512;
    let scratch = bench.file(&[1; 1024]);
    let mut position = &**scratch.file();
    position.seek(SeekFrom::Start(POSITION)).expect("a file");
    let mut pump = bench.pump(2);
    for action in [IOAction::Write, IOAction::Read] {
        let (event, reason) = make(&scratch, action);
        let size = event.buffer().map(|buffer| buffer.as_ptr());
        let event = pump.perform(event);
        assert_eq!(refusal_of(&event), reason, "{action:?}");
        assert_eq!(event.transferred(), 0);
        let back = event.into_buffer().map(|buffer| buffer.as_ptr());
        assert_eq!(back, size, "the buffer comes back");
    }
    scratch.assert_content(&[1; 1024]);
    let now = position.stream_position().expect("a file");
    assert_eq!(now, POSITION, "the position has moved");
}
