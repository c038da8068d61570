//! Calls made by whoever is there: every request is answered once, with its own bytes.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use io_engine_core::{Answered, Completion, IOAction, IOEvent, Request, Ticket};
use io_engine_workers::{SharedCalls, read_at_once};

const BLOCK: usize = 64;
const BLOCKS: u8 = 100;

/// Each block is filled with its number.
fn numbered_file() -> Arc<File> {
    let file = tempfile::tempfile().unwrap();
    for block in 0..BLOCKS {
        let offset = u64::from(block) * BLOCK as u64;
        file.write_all_at(&[block; BLOCK], offset).unwrap();
    }
    Arc::new(file)
}

fn read(file: &Arc<File>, block: u8) -> IOEvent<()> {
    let offset = i64::from(block) * BLOCK as i64;
    IOEvent::new(file, vec![255; BLOCK].into(), IOAction::Read, offset)
}

/// The numbers of the blocks that one pass brings, each checked to the byte.
fn pass(calls: &mut SharedCalls<()>) -> Vec<u8> {
    let mut brought = Vec::new();
    calls.begin();
    while let Some(answered) = calls.next_answer() {
        let Answered::Whole(ticket) = answered else {
            panic!("every block is whole: {answered:?}");
        };
        let event = calls.take_whole(ticket);
        let block = u8::try_from(event.offset() / BLOCK as i64).unwrap();
        let bytes = event.get_read_result().unwrap();
        assert_eq!(*bytes, [block; BLOCK]);
        brought.push(block);
    }
    brought
}

#[test]
fn one_at_a_time_is_carried_out_when_its_answer_is_asked_for() {
    let file = numbered_file();
    let mut calls = SharedCalls::with_capacity(1);
    assert!(!calls.begin() && calls.next_answer().is_none());
    for block in 0..BLOCKS {
        calls.push_event(read(&file, block));
        assert_eq!(calls.in_flight(), 1);
        assert!(calls.next_answer().is_none(), "nothing was promised");
        assert_eq!(pass(&mut calls), [block]);
        assert_eq!(calls.in_flight(), 0);
    }
}

#[test]
fn many_are_shared_and_each_is_answered_once_however_they_come() {
    let file = numbered_file();
    for at_once in [2, 3, 40] {
        let mut calls = SharedCalls::with_capacity(at_once);
        for _ in 0..500 {
            let mut wanted = BTreeSet::new();
            for block in (0..BLOCKS).take(at_once) {
                wanted.insert(block);
                calls.push_event(read(&file, block));
            }
            let brought = pass(&mut calls);
            assert_eq!(brought.len(), at_once);
            assert_eq!(brought.into_iter().collect::<BTreeSet<_>>(), wanted);
        }
    }
}

#[test]
fn what_comes_during_a_pass_is_answered_by_the_next_or_sooner() {
    let file = numbered_file();
    let mut calls = SharedCalls::with_capacity(8);
    let mut next = 0_usize;
    let mut push = |calls: &mut SharedCalls<()>| {
        let block = u8::try_from(next % usize::from(BLOCKS)).unwrap();
        calls.push_event(read(&file, block));
        next += 1;
    };
    (0..8).for_each(|_| push(&mut calls));
    let mut answered = 0;
    while answered < 20_000 {
        assert!(calls.begin());
        let mut of_pass = 0;
        while let Some(one) = calls.next_answer() {
            let Answered::Whole(ticket) = one else {
                panic!("every block is whole");
            };
            let event = calls.take_whole(ticket);
            let block = u8::try_from(event.offset() / BLOCK as i64).unwrap();
            assert_eq!(*event.get_read_result().unwrap(), [block; BLOCK]);
            push(&mut calls);
            of_pass += 1;
        }
        assert_eq!(of_pass, 8, "a pass ends though callbacks go on");
        answered += of_pass;
    }
    let mut done = Vec::new();
    calls.finish(&mut done);
    assert_eq!((done.len(), calls.in_flight()), (8, 0));
    done.into_iter().for_each(Completion::finish);
}

#[test]
fn all_that_is_inside_is_finished_with_and_without_helpers() {
    let file = numbered_file();
    for (count, passes) in [(1, 1), (2, 1), (8, 100), (40, 100)] {
        let mut calls = SharedCalls::with_capacity(count);
        for _ in 0..passes {
            for number in 0..count {
                let block = u8::try_from(number % usize::from(BLOCKS)).unwrap();
                calls.push_event(read(&file, block));
            }
            let mut done = Vec::new();
            calls.finish(&mut done);
            assert_eq!((done.len(), calls.in_flight()), (count, 0));
            let mut ended = Vec::new();
            done.into_iter()
                .for_each(|completion| completion.settle(&mut ended, &mut Vec::new()));
            let blocks = ended.into_iter().map(|event| {
                let block = u8::try_from(event.offset() / BLOCK as i64).unwrap();
                assert_eq!(*event.get_read_result().unwrap(), [block; BLOCK]);
            });
            assert_eq!(blocks.count(), count, "each once");
        }
    }
}

#[test]
fn short_ones_and_errors_are_for_the_one_who_asks() {
    let file = numbered_file();
    let mut calls = SharedCalls::<()>::with_capacity(2);
    let beyond = i64::from(BLOCKS) * BLOCK as i64 - 10;
    let buffer = || vec![0; BLOCK].into();
    for _ in 0..100 {
        let short = IOEvent::new(&file, buffer(), IOAction::Read, beyond);
        let bad = IOEvent::new(-1, buffer(), IOAction::Read, 0);
        calls.push(Request::from(short));
        calls.push(Request::from(bad));
        calls.begin();
        for _ in 0..2 {
            let Some(Answered::Other(completion)) = calls.next_answer() else {
                panic!("neither is whole");
            };
            let (mut ended, mut again) = (Vec::new(), Vec::new());
            completion.settle(&mut ended, &mut again);
            match ended.pop() {
                Some(event) => assert!(event.get_result().is_err()),
                None => assert_eq!(again.len(), 1, "the rest of the short one"),
            }
        }
        assert!(calls.next_answer().is_none());
    }
}

fn next_whole(calls: &mut SharedCalls<()>) -> Ticket {
    match calls.next_answer() {
        Some(Answered::Whole(ticket)) => ticket,
        other => panic!("every block is whole: {other:?}"),
    }
}

#[test]
fn only_what_was_called_whole_is_taken_out_of_its_slot() {
    let file = numbered_file();
    let two_begun = || {
        let mut calls = SharedCalls::with_capacity(2);
        (0..2).for_each(|block| calls.push_event(read(&file, block)));
        assert!(calls.begin());
        calls
    };
    // Whoever pushes the same has the same tickets.
    let mut twin = two_begun();
    let taken = next_whole(&mut twin);
    drop(twin.take_whole(taken));
    let second = next_whole(&mut twin);

    let mut calls = two_begun();
    let first = next_whole(&mut calls);
    assert!(!calls.is_whole(second), "nobody has read it yet");
    assert!(calls.is_whole(first));
    drop(calls.take_whole(first));
    assert!(!calls.is_whole(first));
    assert_eq!(next_whole(&mut calls), second);
    drop(calls.take_whole(second));
}

#[test]
fn what_was_called_whole_and_not_taken_comes_back() {
    let file = numbered_file();
    let mut calls = SharedCalls::with_capacity(1);
    for finishes in [false, true] {
        calls.push_event(read(&file, 7));
        calls.begin();
        let ticket = next_whole(&mut calls);
        let mut done = Vec::new();
        if finishes {
            calls.finish(&mut done);
        } else {
            assert!(calls.begin(), "it is still inside");
            match calls.next_answer() {
                Some(Answered::Other(completion)) => done.push(completion),
                other => panic!("not {other:?}"),
            }
        }
        assert_eq!((done.len(), calls.in_flight()), (1, 0));
        assert!(!calls.is_whole(ticket));
        let mut ended = Vec::new();
        done.remove(0).settle(&mut ended, &mut Vec::new());
        assert_eq!(*ended.remove(0).get_read_result().unwrap(), [7; BLOCK]);
    }
}

#[test]
#[should_panic(expected = "memory of its own")]
fn nothing_is_read_into_shared_bytes() {
    let file = numbered_file();
    let shared = Bytes::from(vec![255; BLOCK]);
    let mut calls = SharedCalls::<()>::with_capacity(1);
    calls.push_event(IOEvent::new(file, shared.into(), IOAction::Read, 0));
}

#[test]
#[should_panic(expected = "memory of its own")]
fn nothing_is_read_at_once_into_shared_bytes() {
    let file = numbered_file();
    let shared = Bytes::from(vec![255; BLOCK]);
    let event = IOEvent::<()>::new(file, shared.into(), IOAction::Read, 0);
    let _ = read_at_once(&mut Request::from(event));
}

#[test]
fn dropped_with_requests_inside_it_lets_go_of_their_files() {
    let file = numbered_file();
    for _ in 0..50 {
        let mut calls = SharedCalls::with_capacity(50);
        for _ in 0..20 {
            (0..50).for_each(|block| calls.push_event(read(&file, block)));
            pass(&mut calls);
        }
        (0..50).for_each(|block| calls.push_event(read(&file, block)));
        calls.begin();
        drop(calls);
        assert_eq!(Arc::strong_count(&file), 1);
    }
}
