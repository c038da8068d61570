//! Waiting for callbacks and dropping what calls them, from inside and from outside.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod calling;
mod deadline;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use calling::{calling, occupy, receive, sending};
use deadline::{DEADLINE, in_time};
use io_engine_workers::IOWorkers;

#[test]
fn waiting_for_a_lane_ends_when_the_last_callback_has_returned() {
    let workers = IOWorkers::new(2);
    let lane = workers.lane(10);
    let gate = occupy(&lane);
    let returned = Arc::new(AtomicBool::new(false));
    let waiting = thread::spawn({
        let (lane, returned) = (lane.clone(), Arc::clone(&returned));
        move || {
            lane.wait_idle();
            returned.load(Ordering::Relaxed)
        }
    });
    // The lane itself is empty by now; what runs is what is waited for.
    assert_eq!((lane.room(), lane.outstanding()), (10, 1));
    let (tx, rx) = channel();
    lane.deliver(&mut vec![sending((), &tx)]);
    receive(&rx, 1);
    assert!(!waiting.is_finished());
    returned.store(true, Ordering::Relaxed);
    drop(gate);
    assert!(in_time(|| waiting.join().unwrap()));
}

#[test]
fn a_callback_does_not_wait_for_itself() {
    let workers = IOWorkers::new(1);
    let lane = workers.lane(10);
    let (tx, rx) = channel();
    let waiting = lane.clone();
    lane.deliver(&mut vec![calling(move || {
        waiting.wait_idle();
        tx.send(waiting.outstanding()).unwrap();
    })]);
    assert_eq!(receive(&rx, 1), [1]);
}

#[test]
fn a_callback_that_waits_for_another_lane_calls_what_it_waits_for() {
    // One thread, and it is in a callback: nobody else could call them.
    let workers = IOWorkers::new(1);
    let (outer, inner) = (workers.lane(10), workers.lane(1000));
    let gate = occupy(&outer);
    let (tx, rx) = channel();
    let (done, waited) = channel();
    let waiting = inner.clone();
    outer.deliver(&mut vec![calling(move || {
        waiting.wait_idle();
        done.send(waiting.outstanding()).unwrap();
    })]);
    inner.deliver(&mut (0..1000).map(|index| sending(index, &tx)).collect());
    drop(gate);
    assert_eq!(receive(&waited, 1), [0]);
    assert_eq!(rx.try_iter().count(), 1000);
}

#[test]
fn a_callback_may_drop_the_last_handle_of_its_pool() {
    let (tx, rx) = channel();
    let (go, gate) = channel();
    let workers = IOWorkers::new(2);
    let lane = workers.lane(10);
    let other = lane.clone();
    let last = workers.clone();
    let tell = tx.clone();
    lane.deliver(&mut vec![calling(move || {
        // Until everybody else has dropped theirs.
        gate.recv_timeout(DEADLINE).unwrap();
        other.deliver(&mut vec![calling(move || tell.send("after").unwrap())]);
        drop((last, other));
        tx.send("dropped").unwrap();
    })]);
    drop((workers, lane));
    go.send(()).unwrap();
    let mut called = receive(&rx, 2);
    called.sort_unstable();
    assert_eq!(called, ["after", "dropped"]);
}

#[test]
fn dropping_the_last_handle_in_a_callback_does_not_wait_for_the_other_workers() {
    let (tx, rx) = channel();
    let (release, blocked) = channel();
    let (go, gate) = channel();
    let workers = IOWorkers::new(2);
    let lane = workers.lane(10);
    let last = workers.clone();
    lane.deliver(&mut vec![
        calling(move || tx.send(blocked.recv_timeout(DEADLINE).is_ok()).unwrap()),
        calling(move || {
            gate.recv_timeout(DEADLINE).unwrap();
            drop(last);
            // Only now may the other callback go on.
            release.send(()).unwrap();
        }),
    ]);
    drop((workers, lane));
    go.send(()).unwrap();
    assert!(receive(&rx, 1)[0]);
}
