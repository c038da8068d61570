//! Little work in many interleavings: short enough for an interpreter that sees data races and memory that
//! is used wrongly, and that runs the same test with many seeds.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod calling;
mod deadline;

use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use calling::{calling, receive, sending};
use io_engine_workers::IOWorkers;

const LOOPS: usize = 2;
const EACH: usize = 12;

/// Each loop delivers over a lane that is too small, and one of its callbacks panics.
fn deliver_in_parallel(workers: &IOWorkers) -> Vec<usize> {
    let counts: Arc<Vec<AtomicUsize>> = Arc::new((0..LOOPS * EACH).map(|_| 0.into()).collect());
    let loops = (0..LOOPS).map(|number| {
        let (lane, counts) = (workers.lane(4), Arc::clone(&counts));
        thread::spawn(move || {
            let mut waiting = Vec::new();
            for index in number * EACH..(number + 1) * EACH {
                let counts = Arc::clone(&counts);
                waiting.push(calling(move || {
                    counts[index].fetch_add(1, Ordering::Relaxed);
                    if index % EACH == 3 {
                        // Without the message that a panic prints.
                        resume_unwind(Box::new(index));
                    }
                }));
                lane.deliver(&mut waiting);
            }
            while !waiting.is_empty() {
                lane.wait_idle();
                lane.deliver(&mut waiting);
            }
            lane.wait_idle();
            assert_eq!(lane.outstanding(), 0);
        })
    });
    let loops: Vec<_> = loops.collect();
    for one in loops {
        one.join().unwrap();
    }
    let counts = counts.iter().map(|count| count.load(Ordering::Relaxed));
    counts.collect()
}

#[test]
fn two_loops_and_two_workers_call_each_event_once() {
    let workers = IOWorkers::new(2);
    assert_eq!(deliver_in_parallel(&workers), [1; LOOPS * EACH]);
    assert_eq!(workers.callback_panics(), LOOPS as u64);
}

#[test]
fn a_pool_that_ends_at_once_calls_what_it_was_given() {
    let (tx, rx) = channel();
    let workers = IOWorkers::new(2);
    let lane = workers.lane(8);
    lane.deliver(&mut (0..8).map(|index| sending(index, &tx)).collect());
    drop((lane, workers));
    let mut called = receive(&rx, 8);
    called.sort_unstable();
    assert_eq!(called, [0, 1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn who_waits_in_a_callback_for_another_lane_is_woken() {
    let (tx, rx) = channel();
    let workers = IOWorkers::new(2);
    let (outer, inner) = (workers.lane(2), workers.lane(8));
    let waiting = inner.clone();
    inner.deliver(&mut (0..4).map(|index| sending(index, &tx)).collect());
    let (done, waited) = channel();
    outer.deliver(&mut vec![calling(move || {
        waiting.wait_idle();
        done.send(waiting.outstanding()).unwrap();
    })]);
    assert_eq!(receive(&waited, 1), [0]);
    assert_eq!(receive(&rx, 4).len(), 4);
}
