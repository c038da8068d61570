//! What workers call besides the callbacks.
#![cfg(not(loom))]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod calling;
mod deadline;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel, sync_channel};
use std::sync::{Arc, Mutex};

use calling::{calling, occupy, receive, sending};
use deadline::{DEADLINE, in_time, until};
use io_engine_workers::{IOWorkers, LaneHooks};

#[test]
fn a_stalled_lane_calls_its_hook_once_when_a_quarter_is_free() {
    let workers = IOWorkers::new(1);
    let (rung, bell) = channel();
    let rung = Mutex::new(rung);
    let lane = workers.lane_with(
        8,
        LaneHooks {
            on_room: Some(Box::new(move || rung.lock().unwrap().send(()).unwrap())),
            ..LaneHooks::default()
        },
    );
    assert_eq!(lane.announce_stalled(), 8);
    let gate = occupy(&lane);
    // Each callback waits for its turn, so the lane empties one place at a time.
    let (turns, turn) = sync_channel(8);
    let turn = Arc::new(Mutex::new(turn));
    let mut events = (0..8)
        .map(|_| {
            let turn = Arc::clone(&turn);
            calling(move || turn.lock().unwrap().recv_timeout(DEADLINE).unwrap())
        })
        .collect();
    lane.deliver(&mut events);
    assert_eq!((lane.room(), lane.announce_stalled()), (0, 0));
    drop(gate);
    until("the first place is free", || lane.room() == 1);
    assert!(bell.try_recv().is_err());
    turns.send(()).unwrap();
    receive(&bell, 1);
    assert_eq!(lane.room(), 2);
    for _ in 0..7 {
        turns.send(()).unwrap();
    }
    in_time(move || lane.wait_idle());
    assert_eq!(bell.try_iter().count(), 0);
}

#[test]
fn a_loop_that_sleeps_while_its_lane_is_full_loses_no_wake_up() {
    const EVENTS: usize = 100_000;
    for capacity in [1, 3, 16] {
        in_time(move || {
            let workers = IOWorkers::new(2);
            let (ring, bell) = crossbeam_channel::bounded(1);
            let hooks = LaneHooks {
                on_room: Some(Box::new(move || {
                    let _ = ring.try_send(());
                })),
                ..LaneHooks::default()
            };
            let lane = workers.lane_with(capacity, hooks);
            let called = Arc::new(AtomicUsize::new(0));
            let mut waiting = Vec::new();
            let mut made = 0;
            while made < EVENTS || !waiting.is_empty() {
                while made < EVENTS && waiting.len() < 32 {
                    let called = Arc::clone(&called);
                    waiting.push(calling(move || {
                        called.fetch_add(1, Ordering::Relaxed);
                    }));
                    made += 1;
                }
                lane.deliver(&mut waiting);
                if !waiting.is_empty() && lane.announce_stalled() == 0 {
                    bell.recv_timeout(DEADLINE).expect("rung");
                }
            }
            lane.wait_idle();
            assert_eq!(called.load(Ordering::Relaxed), EVENTS);
        });
    }
}

thread_local! {
    static AROUND: AtomicBool = const { AtomicBool::new(false) };
}

fn hooked(around: impl Fn(&mut dyn FnMut()) + Send + Sync + 'static) -> LaneHooks {
    LaneHooks {
        around: Some(Arc::new(around)),
        ..LaneHooks::default()
    }
}

#[test]
fn the_hook_around_a_batch_is_in_force_in_every_callback() {
    let workers = IOWorkers::new(2);
    let lane = workers.lane_with(
        1000,
        hooked(|batch| {
            AROUND.with(|around| around.store(true, Ordering::Relaxed));
            batch();
            AROUND.with(|around| around.store(false, Ordering::Relaxed));
        }),
    );
    let plain = workers.lane(1000);
    let (tx, rx) = channel();
    let (plain_tx, plain_rx) = channel();
    let tell = |tx: &Sender<bool>| {
        let tx = tx.clone();
        calling(move || {
            let is_around = AROUND.with(|around| around.load(Ordering::Relaxed));
            tx.send(is_around).unwrap();
            panic!("as a test: the hook is taken off all the same");
        })
    };
    lane.deliver(&mut (0..200).map(|_| tell(&tx)).collect());
    plain.deliver(&mut (0..200).map(|_| tell(&plain_tx)).collect());
    assert!(receive(&rx, 200).into_iter().all(|is_around| is_around));
    assert!(
        receive(&plain_rx, 200)
            .into_iter()
            .all(|is_around| !is_around)
    );
}

#[test]
fn hooks_that_panic_or_do_nothing_lose_no_event() {
    let hooks = [
        hooked(|_batch| panic!("as a test, before")),
        hooked(|batch| {
            batch();
            panic!("as a test, after");
        }),
        hooked(|_batch| {}),
        LaneHooks {
            on_room: Some(Box::new(|| panic!("as a test"))),
            ..LaneHooks::default()
        },
    ];
    let workers = IOWorkers::new(1);
    for hooks in hooks {
        let lane = workers.lane_with(100, hooks);
        let gate = occupy(&lane);
        let (tx, rx) = channel();
        lane.deliver(&mut (0..100).map(|index| sending(index, &tx)).collect());
        assert_eq!(lane.announce_stalled(), 0);
        drop(gate);
        assert_eq!(receive(&rx, 100), (0..100).collect::<Vec<_>>());
    }
    assert_eq!(workers.callback_panics(), 0);
}
