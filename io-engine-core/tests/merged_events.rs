//! What forms a run, and what does not: then all events come back.

use std::sync::Arc;

use bytes::Bytes;
use io_engine_core::{
    Buffer, Completion, IOAction, IOEvent, MergedEvents, NotContiguous, Request, SEGMENTS_MAX,
    TRANSFER_BYTES_MAX,
};

fn event(action: IOAction, offset: i64, len: usize) -> IOEvent<()> {
    IOEvent::new(7, Buffer::from(vec![0; len]), action, offset)
}

fn assert_refused(why: &str, events: Vec<IOEvent<()>>) {
    let offsets =
        |events: &[IOEvent<()>]| -> Vec<i64> { events.iter().map(IOEvent::offset).collect() };
    let before = offsets(&events);
    match MergedEvents::new(events) {
        Ok(merged) => panic!("{why}: {merged:?}"),
        Err(NotContiguous(events)) => assert_eq!(offsets(&events), before, "{why}"),
    }
}

#[test]
fn contiguous_events_form_a_run() {
    for action in [IOAction::Read, IOAction::Write] {
        let events = vec![
            event(action, 5, 10),
            event(action, 15, 1),
            event(action, 16, 7),
        ];
        let merged = MergedEvents::new(events).unwrap();
        assert_eq!((merged.event_count(), merged.total_bytes()), (3, 18));
        let carrier = IOEvent::from_merged(merged);
        assert_eq!((carrier.fd(), carrier.offset()), (7, 5));
        assert_eq!((carrier.action(), carrier.get_size()), (action, 18));
        let back: Vec<i64> = carrier.into_events().map(|event| event.offset()).collect();
        assert_eq!(back, [5, 15, 16]);
    }
}

#[test]
fn a_lone_event_carries_itself() {
    let events: Vec<_> = event(IOAction::Read, 5, 10).into_events().collect();
    assert_eq!((events.len(), events[0].offset()), (1, 5));
}

#[test]
fn events_that_do_not_touch_are_refused() {
    let read = |offset, len| event(IOAction::Read, offset, len);
    assert_refused("none", vec![]);
    assert_refused("one", vec![read(0, 10)]);
    assert_refused("a gap", vec![read(0, 10), read(11, 10)]);
    assert_refused("an overlap", vec![read(0, 10), read(9, 10)]);
    assert_refused("the same twice", vec![read(0, 10), read(0, 10)]);
    assert_refused("backwards", vec![read(10, 10), read(0, 10)]);
    assert_refused(
        "a gap further on",
        vec![read(0, 10), read(10, 10), read(21, 1)],
    );
}

#[test]
fn events_of_different_kinds_are_refused() {
    let other_file = IOEvent::new(8, Buffer::from(vec![0; 10]), IOAction::Read, 10);
    assert_refused("two files", vec![event(IOAction::Read, 0, 10), other_file]);
    let mixed = vec![event(IOAction::Read, 0, 10), event(IOAction::Write, 10, 10)];
    assert_refused("two directions", mixed);
    for action in [IOAction::Sync, IOAction::Allocate, IOAction::PunchHole] {
        let range = |offset| IOEvent::new_no_buf(7, action, offset, 10);
        assert_refused("no bytes to move", vec![range(0), range(10)]);
    }
}

#[test]
fn events_that_cannot_work_are_refused() {
    let read = |offset, len| event(IOAction::Read, offset, len);
    assert_refused("before the beginning", vec![read(-10, 10), read(0, 10)]);
    assert_refused("no bytes", vec![read(0, 0), read(0, 10)]);
    assert_refused("no bytes at the end", vec![read(0, 10), read(10, 0)]);
    let no_buffer = IOEvent::new_no_buf(7, IOAction::Read, 10, 10);
    assert_refused("no buffer", vec![read(0, 10), no_buffer]);
    let shared = Buffer::from(Bytes::from(vec![0; 10]));
    let shared = IOEvent::new(7, shared, IOAction::Read, 10);
    assert_refused("shared memory", vec![read(0, 10), shared]);
    let last = i64::MAX - 15;
    assert_refused(
        "beyond the last offset",
        vec![read(last, 10), read(last + 10, 10)],
    );
}

#[test]
fn shared_bytes_may_be_written_in_a_run() {
    let shared = Bytes::from(vec![0; 10]);
    let write = |offset| {
        let buffer = Buffer::from(shared.clone());
        IOEvent::<()>::new(7, buffer, IOAction::Write, offset)
    };
    assert!(MergedEvents::new(vec![write(0), write(10)]).is_ok());
}

#[test]
fn an_event_with_a_result_is_refused() {
    let request = Request::from(event(IOAction::Read, 0, 10));
    let mut short = Vec::new();
    Completion::from_kernel(request, 5).report(&mut short);
    short.push(event(IOAction::Read, 10, 10));
    assert_refused("half done", short);
}

#[test]
fn a_run_does_not_carry_a_run() {
    let events = vec![event(IOAction::Read, 0, 10), event(IOAction::Read, 10, 10)];
    let carrier = IOEvent::from_merged(MergedEvents::new(events).unwrap());
    assert_refused("nested", vec![carrier, event(IOAction::Read, 20, 10)]);
}

#[test]
fn a_run_has_at_most_as_many_segments_as_the_kernel_takes() {
    let run = |count: usize| -> Vec<IOEvent<()>> {
        (0..count)
            .map(|index| event(IOAction::Read, i64::try_from(index).unwrap(), 1))
            .collect()
    };
    assert!(MergedEvents::new(run(SEGMENTS_MAX)).is_ok());
    assert_refused("too many", run(SEGMENTS_MAX + 1));
}

#[test]
fn a_run_has_at_most_as_many_bytes_as_the_kernel_moves() {
    // Shared, so that it is the same gibibyte twice.
    let half = Bytes::from(vec![0; TRANSFER_BYTES_MAX / 2]);
    let len = i64::try_from(half.len()).unwrap();
    let write = |offset| {
        let buffer = Buffer::from(half.clone());
        IOEvent::<()>::new(7, buffer, IOAction::Write, offset)
    };
    assert!(MergedEvents::new(vec![write(0), write(len)]).is_ok());
    let one_more = event(IOAction::Write, 2 * len, 1);
    assert_refused("too long", vec![write(0), write(len), one_more]);
}

#[test]
fn d7_every_event_of_a_run_keeps_its_file_open() {
    let file = Arc::new(tempfile::tempfile().unwrap());
    let read =
        |offset| IOEvent::<()>::new(&file, Buffer::from(vec![0; 10]), IOAction::Read, offset);
    let merged = MergedEvents::new(vec![read(0), read(10)]).unwrap();
    let request = Request::from(IOEvent::from_merged(merged));
    assert_eq!(Arc::strong_count(&file), 3);
    drop(request);
    assert_eq!(Arc::strong_count(&file), 1);
}
