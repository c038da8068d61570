//! `depth` is a true bound, and a refusal gives the goods back.

use super::bench::Bench;
use super::probe::Probe;
use super::scratch::offset_of;
use crate::action::IOAction;
use crate::backend::{Backend, Wait};
use crate::completion::Completion;
use crate::event::IOEvent;
use crate::refusal::Full;
use crate::request::Request;

/// One more push than the depth is [`Full`], and the request in it is the one that was pushed.
pub fn a_push_beyond_the_depth_gives_the_request_back<B: Backend<Probe>>(bench: &Bench<B>) {
    let block = bench.fit(512);
    for depth in [1, 2, 9] {
        let scratch = bench.file(&vec![1; block * (depth + 1)]);
        let mut backend = bench.backend(depth);
        let read = |index: usize| {
            let buffer = bench.zeroed(block);
            let offset = offset_of(index * block);
            let mut event = IOEvent::new(scratch.file(), buffer, IOAction::Read, offset);
            let id = bench.log().attach(&mut event);
            (id, Request::from(event))
        };
        for index in 0..depth {
            backend.push(read(index).1).expect("there is room");
            assert_eq!(backend.in_flight(), index + 1);
        }
        let (id, request) = read(depth);
        let Err(Full(mut request)) = backend.push(request) else {
            panic!("{} requests fit into depth {depth}", depth + 1);
        };
        for _ in 0..3 {
            let Err(Full(back)) = backend.push(request) else {
                panic!("there was room a moment later, without drive");
            };
            request = back;
        }
        assert_eq!(backend.in_flight(), depth);
        assert!(
            bench.log().take(id).is_none(),
            "a refusal calls no callback"
        );

        let mut done = Vec::new();
        drive_until_empty(&mut backend, &mut done);
        backend.push(request).expect("there is room again");
        drive_until_empty(&mut backend, &mut done);
        assert_eq!(done.len(), depth + 1);
        done.drain(..).for_each(Completion::finish);
        let event = bench.log().take(id).expect("called back");
        assert_eq!(event.offset(), offset_of(depth * block));
        event.get_read_result().expect("read");
    }
}

/// A thousand events through a queue of three: never more than three inside, counted at each step.
pub fn never_more_than_the_depth_is_in_flight<B: Backend<Probe>>(bench: &Bench<B>) {
    let block = bench.fit(512);
    let scratch = bench.file(&vec![1; block]);
    let mut pump = bench.pump(3);
    let read = |_| IOEvent::new(scratch.file(), bench.zeroed(block), IOAction::Read, 0);
    for event in pump.perform_all((0..1000).map(read).collect()) {
        event.get_read_result().expect("read");
    }
}

/// What the kernel never sees takes its place in the queue too, until it is yielded.
pub fn a_refused_request_counts_until_it_is_yielded<B: Backend<Probe>>(bench: &Bench<B>) {
    let scratch = bench.file(&[]);
    let mut backend = bench.backend(2);
    let mut ids = Vec::new();
    for offset in [-1, -2] {
        let buffer = bench.zeroed(512);
        let mut event = IOEvent::new(scratch.file(), buffer, IOAction::Write, offset);
        ids.push(bench.log().attach(&mut event));
        backend
            .push(event.into())
            .expect("taken, though it cannot work");
    }
    assert_eq!(backend.in_flight(), 2);
    let sync = Request::from(IOEvent::sync(scratch.file()));
    assert!(backend.push(sync).is_err(), "two are inside");

    let mut done = Vec::new();
    backend.drive(Wait::For(2), &mut done).expect("driven");
    assert_eq!((done.len(), backend.in_flight()), (2, 0));
    done.drain(..).for_each(Completion::finish);
    for id in ids {
        let event = bench.log().take(id).expect("called back");
        event.get_result().expect_err("a negative offset");
    }
    scratch.assert_content(&[]);
}

/// Waits for all that is inside.
pub(super) fn drive_until_empty<B: Backend<Probe>>(
    backend: &mut B,
    done: &mut Vec<Completion<Probe>>,
) {
    while backend.in_flight() > 0 {
        backend.drive(Wait::For(1), done).expect("driven");
    }
}
