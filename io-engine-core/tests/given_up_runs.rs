//! Runs that are given up, or whose queue breaks, when some of their bytes are there already: what the
//! kernel no longer uses is given back, and nobody is told of bytes that he does not get.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::io::ErrorKind;

use io_engine_core::{
    Buffer, Completion, IOAction, IOEvent, MergedEvents, Request, RunPool, Scratch,
};

/// A number that is no open file, so that nobody asks for its alignment.
const FILE: i32 = -1;
const LEN: usize = 100;

fn event(action: IOAction, offset: i64, len: usize) -> IOEvent<()> {
    IOEvent::new(FILE, Buffer::from(vec![0; len]), action, offset)
}

/// A run of three, of which so many bytes are there, given up then.
fn given_up(
    action: IOAction,
    bytes: i64,
    how: fn(Request<()>) -> Completion<()>,
) -> [IOEvent<()>; 3] {
    let events = [0, 100, 200].map(|offset| event(action, offset, LEN));
    let run = MergedEvents::new(events.into()).unwrap();
    let request = Request::from(IOEvent::from_merged(run));
    let rest = resumed(request, bytes);
    let mut finished = Vec::new();
    how(rest).settle(&mut finished, &mut Vec::new());
    finished.try_into().expect("each of them ends")
}

fn resumed(request: Request<()>, bytes: i64) -> Request<()> {
    let (mut finished, mut again) = (Vec::new(), Vec::new());
    Completion::from_kernel(request, bytes).settle(&mut finished, &mut again);
    assert!(finished.is_empty(), "it goes on");
    again.pop().expect("the rest of it")
}

#[test]
fn a_read_that_was_whole_before_keeps_its_buffer() {
    for how in [Completion::given_up, Completion::queue_broken] {
        let [whole, begun, not_begun] = given_up(IOAction::Read, 150, how);
        assert_eq!(whole.get_result().unwrap(), LEN);
        assert_eq!(whole.into_buffer().expect("its bytes").len(), LEN);
        for event in [begun, not_begun] {
            let error = event.get_result().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BrokenPipe);
            assert!(event.into_buffer().is_none(), "the kernel may have it");
        }
    }
}

#[test]
fn a_write_that_was_whole_before_is_done() {
    let [whole, begun, _] = given_up(IOAction::Write, 150, Completion::given_up);
    whole.get_write_result().unwrap();
    assert!(whole.into_buffer().is_some());
    begun.get_write_result().unwrap_err();
}

#[test]
fn only_those_without_an_answer_are_counted() {
    for (bytes, count) in [(50, 3), (100, 2), (250, 1)] {
        let events = [0, 100, 200].map(|offset| event(IOAction::Read, offset, LEN));
        let run = MergedEvents::new(events.into()).unwrap();
        let rest = resumed(Request::from(IOEvent::from_merged(run)), bytes);
        assert_eq!(Completion::given_up(rest).given_up_count(), count);
    }
    let alone = Request::from(event(IOAction::Read, 0, LEN));
    assert_eq!(Completion::given_up(alone).given_up_count(), 1);
    let answered = Request::from(event(IOAction::Read, 0, LEN));
    assert_eq!(Completion::from_kernel(answered, 100).given_up_count(), 0);
}

#[test]
fn reads_that_share_are_told_what_their_leader_is() {
    let mut run = RunPool::with_capacity(1).take().unwrap();
    run.push(event(IOAction::Read, 0, LEN)).unwrap();
    run.push(event(IOAction::Read, 100, LEN)).unwrap();
    run.push_sharing(event(IOAction::Read, 20, 10), 0).unwrap();
    run.push_sharing(event(IOAction::Read, 120, 10), 1).unwrap();
    let rest = resumed(run.into_request().unwrap(), 150);
    let given_up = Completion::given_up(rest);
    assert_eq!(given_up.given_up_count(), 2);
    let mut finished = Vec::new();
    given_up.settle(&mut finished, &mut Vec::new());
    let whole: Vec<bool> = finished
        .iter()
        .map(|event| event.get_result().is_ok())
        .collect();
    assert_eq!(whole, [true, false, true, false]);
    // The kernel never knew of the buffers of those that share.
    let buffers = finished
        .into_iter()
        .map(|event| event.into_buffer().is_some());
    assert_eq!(buffers.collect::<Vec<_>>(), [true, false, true, true]);
}

#[test]
fn a_hole_that_is_read_at_present_takes_no_buffer_with_it() {
    let mut run = RunPool::with_capacity(1).take().unwrap();
    run.push(event(IOAction::Read, 0, LEN)).unwrap();
    let scratch = Scratch::new(100).unwrap();
    run.push_over_hole(event(IOAction::Read, 200, LEN), &scratch)
        .unwrap();
    let rest = resumed(run.into_request().unwrap(), 120);
    let mut finished = Vec::new();
    Completion::given_up(rest).settle(&mut finished, &mut Vec::new());
    let whole: Vec<bool> = finished
        .iter()
        .map(|event| event.get_result().is_ok())
        .collect();
    assert_eq!(whole, [true, false]);
}
