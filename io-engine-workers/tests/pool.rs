//! The pool: every callback once, whatever the callbacks do.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod calling;
mod deadline;

use std::panic::panic_any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;

use bytes::Bytes;
use calling::{calling, occupy, receive, sending};
use deadline::{DEADLINE, in_time};
use io_engine_core::{Buffer, ClosureCb, IOAction, IOCallback, IOEvent};
use io_engine_workers::{IOWorkers, Lane};

#[test]
fn every_event_is_called_exactly_once() {
    const EVENTS: usize = 50_000;
    let workers = IOWorkers::new(4);
    let counts: Arc<Vec<AtomicUsize>> = Arc::new((0..4 * EVENTS).map(|_| 0.into()).collect());
    let loops: Vec<_> = (0..4)
        .map(|number| {
            let lane = workers.lane::<ClosureCb>(100);
            let counts = Arc::clone(&counts);
            move || {
                let mut waiting = Vec::new();
                for index in number * EVENTS..(number + 1) * EVENTS {
                    let counts = Arc::clone(&counts);
                    waiting.push(calling(move || {
                        counts[index].fetch_add(1, Ordering::Relaxed);
                    }));
                    // Batches of any size, down to none.
                    if index % 7 == 0 {
                        lane.deliver(&mut waiting);
                    }
                }
                while !waiting.is_empty() {
                    lane.deliver(&mut waiting);
                }
                lane.wait_idle();
            }
        })
        .map(thread::spawn)
        .collect();
    in_time(|| loops.into_iter().for_each(|one| one.join().unwrap()));
    assert!(
        counts
            .iter()
            .all(|count| count.load(Ordering::Relaxed) == 1)
    );
}

#[test]
fn no_threads_count_as_one() {
    for workers in [IOWorkers::new(0), IOWorkers::try_new(0).unwrap()] {
        assert_eq!(workers.thread_count(), 1);
        let (tx, rx) = channel();
        let here = thread::current().id();
        let lane = workers.lane(0);
        assert_eq!(lane.capacity(), 1);
        lane.deliver(&mut vec![calling(move || {
            tx.send(thread::current().id()).unwrap();
        })]);
        assert_ne!(receive(&rx, 1)[0], here);
    }
}

#[test]
fn d11_what_was_delivered_is_called_though_lane_and_pool_are_dropped() {
    let workers = IOWorkers::new(2);
    let lane = workers.lane(100);
    let gates = [occupy(&lane), occupy(&lane)];
    let (tx, rx) = channel();
    lane.deliver(&mut (0..100).map(|index| sending(index, &tx)).collect());
    drop(workers);
    let dropping = thread::spawn(|| drop(lane));
    drop(gates);
    in_time(|| dropping.join().unwrap());
    // The threads were joined, so all of it is here without waiting.
    let mut called: Vec<i32> = rx.try_iter().collect();
    called.sort_unstable();
    assert_eq!(called, (0..100).collect::<Vec<_>>());
}

#[test]
fn what_does_not_fit_stays_with_the_caller_in_order() {
    let workers = IOWorkers::new(1);
    let lane = workers.lane(3);
    let gate = occupy(&lane);
    let (tx, rx) = channel();
    let mut events = (0..5).map(|index| sending(index, &tx)).collect();
    assert_eq!(lane.room(), 3);
    lane.deliver(&mut events);
    assert_eq!((lane.room(), events.len(), lane.outstanding()), (0, 2, 4));
    lane.deliver(&mut events);
    assert_eq!(events.len(), 2);
    drop(gate);
    assert_eq!(receive(&rx, 3), [0, 1, 2]);
    in_time({
        let lane = lane.clone();
        move || lane.wait_idle()
    });
    lane.deliver(&mut events);
    assert_eq!(receive(&rx, 2), [3, 4]);
}

#[test]
fn d18_delivering_never_blocks_though_every_worker_does() {
    let lane = in_time(|| {
        let workers = IOWorkers::new(2);
        let lane = workers.lane(4);
        let _gates = [occupy(&lane), occupy(&lane)];
        let (tx, rx) = channel();
        let mut events = (0..10).map(|index| sending(index, &tx)).collect();
        lane.deliver(&mut events);
        assert_eq!((events.len(), lane.announce_stalled()), (6, 0));
        assert!(rx.try_recv().is_err());
        lane
    });
    in_time(move || lane.wait_idle());
}

/// A callback that hands its event to a loop again until it has made its rounds.
struct Rounds {
    left: usize,
    to_loop: crossbeam_channel::Sender<IOEvent<Self>>,
    done: Sender<()>,
}

impl IOCallback for Rounds {
    fn call(mut self, mut event: IOEvent<Self>) {
        if self.left == 0 {
            return self.done.send(()).unwrap();
        }
        self.left -= 1;
        let to_loop = self.to_loop.clone();
        event.set_callback(self);
        to_loop.send(event).unwrap();
    }
}

#[test]
fn d18_callbacks_that_submit_again_over_a_full_channel_do_not_deadlock() {
    const DEPTH: usize = 8;
    const ROUNDS: usize = 5000;
    in_time(|| {
        let workers = IOWorkers::new(2);
        // As many places as can be on their way: the loop never finds the lane full.
        let lane = workers.lane(DEPTH);
        let (to_loop, submitted) = crossbeam_channel::bounded(1);
        let (done, rx) = channel();
        let engine = thread::spawn(move || {
            let mut finished = Vec::new();
            while let Ok(event) = submitted.recv() {
                finished.push(event);
                lane.deliver(&mut finished);
                assert!(finished.is_empty(), "a place for each");
            }
        });
        for _ in 0..DEPTH {
            let mut event = IOEvent::sync(-1);
            event.set_callback(Rounds {
                left: ROUNDS,
                to_loop: to_loop.clone(),
                done: done.clone(),
            });
            to_loop.send(event).unwrap();
        }
        receive(&rx, DEPTH);
        drop(to_loop);
        engine.join().unwrap();
    });
}

#[test]
fn d19_a_callback_that_panics_costs_no_other_event() {
    let workers = IOWorkers::new(1);
    let lane = workers.lane(300);
    let (tx, rx) = channel();
    let mut events = Vec::new();
    for index in 0..100 {
        events.push(sending(index, &tx));
        events.push(calling(|| panic!("as a test")));
    }
    lane.deliver(&mut events);
    assert_eq!(receive(&rx, 100), (0..100).collect::<Vec<_>>());
    in_time(move || lane.wait_idle());
    assert_eq!(workers.callback_panics(), 100);
}

#[test]
fn d19_a_panic_that_panics_once_more_when_it_is_dropped_is_survived() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("as a test, when dropped");
        }
    }
    let workers = IOWorkers::new(1);
    let lane = workers.lane(4);
    let (tx, rx) = channel();
    lane.deliver(&mut vec![calling(|| panic_any(Bomb)), sending((), &tx)]);
    receive(&rx, 1);
    in_time(move || lane.wait_idle());
    assert_eq!(workers.callback_panics(), 1);
}

#[test]
fn d19_memory_that_panics_when_it_is_dropped_is_survived() {
    struct Bomb;
    impl AsRef<[u8]> for Bomb {
        fn as_ref(&self) -> &[u8] {
            b"as a test"
        }
    }
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("as a test, when dropped");
        }
    }
    let workers = IOWorkers::new(1);
    let lane = workers.lane(4);
    let (tx, rx) = channel();
    // Without a callback it is the worker that drops it.
    let buffer = Buffer::from(Bytes::from_owner(Bomb));
    let event = IOEvent::new(-1, buffer, IOAction::Write, 0);
    lane.deliver(&mut vec![event, sending((), &tx)]);
    receive(&rx, 1);
    in_time(move || lane.wait_idle());
}

#[test]
fn contexts_of_different_callback_types_share_one_pool() {
    struct Number(Sender<usize>, usize);
    impl IOCallback for Number {
        fn call(self, _event: IOEvent<Self>) {
            self.0.send(self.1).unwrap();
        }
    }
    let workers = IOWorkers::new(2);
    let (closures, numbers) = (workers.lane(1000), workers.lane(1000));
    let (tx, rx) = channel();
    let number = |index| {
        let mut event = IOEvent::sync(-1);
        event.set_callback(Number(tx.clone(), index));
        event
    };
    numbers.deliver(&mut (0..1000).map(number).collect());
    closures.deliver(&mut (1000..2000).map(|index| sending(index, &tx)).collect());
    let mut called = receive(&rx, 2000);
    called.sort_unstable();
    assert_eq!(called, (0..2000).collect::<Vec<_>>());
}

#[test]
fn a_slow_callback_does_not_hold_up_what_waits_behind_it() {
    for together in [true, false] {
        let workers = IOWorkers::new(2);
        let lane = workers.lane(10);
        let (tx, rx) = channel();
        let (go, gate) = channel();
        let slow = calling({
            let tx = tx.clone();
            move || tx.send(gate.recv_timeout(DEADLINE).is_ok()).unwrap()
        });
        // Only the callback behind the slow one lets it go.
        let behind = calling(move || go.send(()).unwrap());
        if together {
            lane.deliver(&mut vec![slow, behind]);
        } else {
            lane.deliver(&mut vec![slow]);
            lane.deliver(&mut vec![behind]);
        }
        assert!(receive(&rx, 1)[0], "together: {together}");
    }
}

#[test]
fn a_lane_that_never_runs_empty_does_not_starve_another() {
    fn again(lane: Lane<ClosureCb>, stop: Arc<AtomicBool>) -> IOEvent<ClosureCb> {
        calling(move || {
            if !stop.load(Ordering::Relaxed) {
                lane.clone().deliver(&mut vec![again(lane, stop)]);
            }
        })
    }
    let workers = IOWorkers::new(1);
    let (greedy, modest) = (workers.lane(100), workers.lane(100));
    let stop = Arc::new(AtomicBool::new(false));
    let forever = |_| again(greedy.clone(), Arc::clone(&stop));
    greedy.deliver(&mut (0..50).map(forever).collect());
    for index in 0..100 {
        let (tx, rx) = channel();
        modest.deliver(&mut vec![sending(index, &tx)]);
        assert_eq!(receive(&rx, 1), [index]);
    }
    stop.store(true, Ordering::Relaxed);
    in_time(move || greedy.wait_idle());
}

#[test]
fn a_worker_has_a_name_that_fits_and_takes_no_signals() {
    let workers = IOWorkers::new(3);
    let lane = workers.lane(1);
    let (tx, rx) = channel();
    lane.deliver(&mut vec![calling(move || {
        tx.send(std::fs::read_to_string("/proc/thread-self/status").unwrap())
            .unwrap();
    })]);
    let status = receive(&rx, 1).remove(0);
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().trim().to_owned()
    };
    assert!(field("Name:").starts_with("io-worker-"));
    let blocked = u64::from_str_radix(&field("SigBlk:"), 16).unwrap();
    for signal in [libc::SIGXFSZ, libc::SIGTERM, libc::SIGALRM, libc::SIGUSR1] {
        assert_ne!(blocked & 1 << (signal - 1), 0, "signal {signal}");
    }
    assert_eq!(blocked & 1 << (libc::SIGSEGV - 1), 0);
}
