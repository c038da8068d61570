//! Each accepted event gets exactly one callback, however it ends.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use io_engine::callback_worker::{IOWorkers, Inline};
use io_engine::tasks::{ClosureCb, IOAction, IOEvent};
use io_engine::{Buffer, Driver, EventLoop, IOContext, SubmitError, Wait};
use machine::{DEADLINE, Enter, Ledger, Outcome, drivers, numbered_file, within_deadline};

mod machine;

fn read(file: &Arc<File>, block: u64, ledger: &Ledger, id: u64) -> IOEvent<Enter> {
    let offset = i64::try_from(block * 4096).expect("a small file");
    let mut event = IOEvent::new(
        file,
        Buffer::aligned(4096).expect("memory"),
        IOAction::Read,
        offset,
    );
    event.set_callback(ledger.callback(id));
    event
}

#[test]
fn shutdown_finishes_what_was_accepted() {
    for driver in drivers() {
        within_deadline("shutdown", move || {
            for depth in [1, 3, 64] {
                let (file, ledger) = (numbered_file(16), Ledger::default());
                let (tx, rx) = io_engine::channel(200);
                let ctx =
                    IOContext::<Enter, _>::new(depth, rx, &IOWorkers::new(2), driver).unwrap();
                tx.send_batch((0..200).map(|id| read(&file, id % 16, &ledger, id)))
                    .unwrap();
                ctx.shutdown().unwrap();
                assert_eq!(ledger.len(), 200, "{driver} at depth {depth}");
                for id in 0..200 {
                    let first = u8::try_from(id % 16).unwrap();
                    assert_eq!(ledger.get(id), Some(Outcome::Done(4096, Some(first))));
                }
                let refused = tx.send(read(&file, 0, &ledger, 999)).unwrap_err();
                assert!(matches!(refused, SubmitError::Closed(_)));
                assert_eq!(refused.into_inner().offset(), 0);
            }
        });
    }
}

/// Long enough for a loop without work to have gone to sleep.
const FALLS_ASLEEP: Duration = Duration::from_millis(50);

#[test]
fn an_idle_context_ends_when_it_is_told_to() {
    for driver in drivers() {
        within_deadline("shutdown of an idle context", move || {
            let (file, ledger) = (numbered_file(1), Ledger::default());
            let (tx, rx) = io_engine::channel(4);
            let ctx = IOContext::<Enter, _>::new(4, rx, &Inline, driver).unwrap();
            tx.send(read(&file, 0, &ledger, 1)).unwrap();
            ledger.wait_for(1);
            let _ = crossbeam_channel::after(FALLS_ASLEEP).recv();
            // The sender lives: nothing but the shutdown itself wakes the loop.
            ctx.shutdown().unwrap();
            assert!(tx.send(read(&file, 0, &ledger, 2)).is_err());
            assert_eq!(ledger.len(), 1);
        });
    }
}

#[test]
fn d20_a_context_dropped_while_the_sender_lives_neither_hangs_nor_loses_an_event() {
    for driver in drivers() {
        within_deadline("drop of a context with a plain channel", move || {
            let (file, ledger) = (numbered_file(16), Ledger::default());
            let (tx, rx) = crossbeam_channel::bounded(128);
            let ctx = IOContext::<Enter, _>::new(4, rx, &Inline, driver).unwrap();
            for id in 0..128 {
                tx.send(read(&file, id % 16, &ledger, id)).unwrap();
            }
            drop(ctx);
            assert_eq!(ledger.count_done(), 128);
            let refused = tx.send(read(&file, 3, &ledger, 999)).unwrap_err();
            assert_eq!(refused.into_inner().offset(), 3 * 4096);
        });
    }
}

#[test]
fn senders_dropped_while_work_is_in_flight_change_nothing() {
    for driver in drivers() {
        let (file, ledger) = (numbered_file(16), Ledger::default());
        let (tx, rx) = io_engine::channel(128);
        let ctx = IOContext::<Enter, _>::new(8, rx, &IOWorkers::new(1), driver).unwrap();
        tx.send_batch((0..128).map(|id| read(&file, id % 16, &ledger, id)))
            .unwrap();
        drop(tx);
        ledger.wait_for(128);
        ctx.shutdown().unwrap();
        assert_eq!(ledger.count_done(), 128);
    }
}

#[test]
fn senders_that_race_with_shutdown_get_the_event_or_the_callback() {
    for driver in drivers() {
        within_deadline("senders against shutdown", move || {
            let file = numbered_file(16);
            for round in 0..40 {
                let ledger = Ledger::default();
                let (tx, rx) = io_engine::channel(4);
                let ctx = IOContext::<Enter, _>::new(4, rx, &Inline, driver).unwrap();
                let (accepted, started) = (Arc::new(AtomicUsize::new(0)), AtomicUsize::new(0));
                std::thread::scope(|scope| {
                    for sender in 0..3_u64 {
                        let (tx, accepted) = (tx.clone(), Arc::clone(&accepted));
                        let (file, ledger, started) = (&file, &ledger, &started);
                        scope.spawn(move || {
                            for number in 0.. {
                                let id = sender << 32 | number;
                                if tx.send(read(file, number % 16, ledger, id)).is_err() {
                                    return;
                                }
                                accepted.fetch_add(1, Ordering::SeqCst);
                                started
                                    .fetch_max(usize::try_from(number).unwrap(), Ordering::SeqCst);
                            }
                        });
                    }
                    while started.load(Ordering::SeqCst) < 10 + round {
                        std::thread::yield_now();
                    }
                    ctx.shutdown().unwrap();
                });
                assert_eq!(ledger.len(), accepted.load(Ordering::SeqCst), "{driver}");
            }
        });
    }
}

#[test]
fn a_context_that_cannot_start_gives_what_is_queued_its_callback() {
    let (file, ledger) = (numbered_file(1), Ledger::default());
    let (tx, rx) = io_engine::channel(4);
    tx.send(read(&file, 0, &ledger, 1)).unwrap();
    let error = IOContext::<Enter, _>::new(0, rx, &Inline, Driver::Threads).unwrap_err();
    assert!(error.to_string().contains("depth 0"), "{error}");
    assert_eq!(
        ledger.get(1),
        Some(Outcome::Failed(std::io::ErrorKind::BrokenPipe))
    );

    let (tx, rx) = crossbeam_channel::bounded(4);
    tx.send(read(&file, 0, &ledger, 2)).unwrap();
    IOContext::<Enter, _>::new(1 << 20, rx, &Inline, Driver::Threads).unwrap_err();
    assert_eq!(
        ledger.get(2),
        Some(Outcome::Failed(std::io::ErrorKind::BrokenPipe))
    );
}

#[test]
fn d19_a_panicking_callback_is_caught_and_counted_and_the_others_are_called() {
    for driver in drivers() {
        for workers in [None, Some(IOWorkers::new(1))] {
            let file = numbered_file(16);
            let calls = Arc::new(AtomicUsize::new(0));
            let (tx, rx) = io_engine::channel(64);
            let ctx = match &workers {
                None => IOContext::<ClosureCb, _>::new(8, rx, &Inline, driver).unwrap(),
                Some(pool) => IOContext::<ClosureCb, _>::new(8, rx, pool, driver).unwrap(),
            };
            for index in 0..64 {
                let buffer = Buffer::aligned(4096).unwrap();
                let mut event = IOEvent::new(&file, buffer, IOAction::Read, 0);
                let calls = Arc::clone(&calls);
                event.set_callback(ClosureCb::new(move |event| {
                    calls.fetch_add(1, Ordering::SeqCst);
                    assert_eq!(event.get_result().unwrap(), 4096);
                    assert!(index % 4 != 0, "on purpose");
                }));
                tx.send(event).unwrap();
            }
            drop(tx);
            let deadline = std::time::Instant::now() + DEADLINE;
            while calls.load(Ordering::SeqCst) < 64 || ctx.callback_panics() < 16 {
                assert!(
                    std::time::Instant::now() < deadline,
                    "callbacks are missing"
                );
                std::thread::yield_now();
            }
            assert_eq!(ctx.callback_panics(), 16);
            ctx.shutdown().unwrap();
            assert_eq!(calls.load(Ordering::SeqCst), 64);
        }
    }
}

#[test]
fn a_panicking_callback_on_the_callers_thread_does_not_take_the_others_along() {
    for driver in drivers() {
        let (file, calls) = (numbered_file(4), Arc::new(AtomicUsize::new(0)));
        let mut engine = EventLoop::<ClosureCb>::new(4, driver).unwrap();
        for index in 0..4 {
            let calls = Arc::clone(&calls);
            let mut event = IOEvent::new(&file, Buffer::aligned(4096).unwrap(), IOAction::Read, 0);
            event.set_callback(ClosureCb::new(move |_| {
                calls.fetch_add(1, Ordering::SeqCst);
                assert!(index != 1, "on purpose");
            }));
            engine.submit(event).unwrap();
        }
        assert_eq!(engine.run(Wait::For(4)).unwrap(), 4);
        assert_eq!(
            (calls.load(Ordering::SeqCst), engine.callback_panics()),
            (4, 1)
        );
    }
}

#[test]
fn a_context_dropped_inside_its_own_callback_ends_on_its_own() {
    type Shared = Arc<std::sync::Mutex<Option<IOContext<ClosureCb>>>>;
    for driver in drivers() {
        for workers in [None, Some(IOWorkers::new(1))] {
            within_deadline("drop inside a callback", move || {
                let (file, slot) = (numbered_file(1), Shared::default());
                let after = Arc::new(AtomicBool::new(false));
                let (tx, rx) = io_engine::channel(8);
                let ctx = match &workers {
                    None => IOContext::new(2, rx, &Inline, driver).unwrap(),
                    Some(pool) => IOContext::new(2, rx, pool, driver).unwrap(),
                };
                *slot.lock().unwrap() = Some(ctx);
                let (tell, told) = crossbeam_channel::bounded(8);
                let mut event =
                    IOEvent::new(&file, Buffer::aligned(4096).unwrap(), IOAction::Read, 0);
                let (inside, done) = (Arc::clone(&slot), Arc::clone(&after));
                event.set_callback(ClosureCb::new(move |_| {
                    drop(inside.lock().unwrap().take());
                    done.store(true, Ordering::SeqCst);
                    tell.send(()).unwrap();
                }));
                tx.send(event).unwrap();
                told.recv_timeout(DEADLINE).unwrap();
                assert!(after.load(Ordering::SeqCst));
                let again = IOEvent::new(&file, Buffer::aligned(4096).unwrap(), IOAction::Read, 0);
                assert!(tx.send(again).is_err());
            });
        }
    }
}

#[test]
fn a_callback_may_end_another_context_of_the_same_pool() {
    for driver in drivers() {
        within_deadline("a callback that ends another context", move || {
            let (file, pool) = (numbered_file(16), IOWorkers::new(1));
            let ledger = Ledger::default();
            let (other_tx, other_rx) = io_engine::channel(64);
            let other = IOContext::<Enter, _>::new(4, other_rx, &pool, driver).unwrap();
            let (tx, rx) = io_engine::channel::<ClosureCb>(1);
            let ctx = IOContext::new(1, rx, &pool, driver).unwrap();
            let mut event = IOEvent::new(&file, Buffer::aligned(4096).unwrap(), IOAction::Read, 0);
            let (read_file, entries) = (Arc::clone(&file), ledger.clone());
            event.set_callback(ClosureCb::new(move |_| {
                // The only worker is here, so none of these callbacks can be called meanwhile.
                for id in 0..64 {
                    other_tx
                        .send(read(&read_file, id % 16, &entries, id))
                        .unwrap();
                }
                other.shutdown().unwrap();
            }));
            tx.send(event).unwrap();
            ledger.wait_for(64);
            ctx.shutdown().unwrap();
        });
    }
}

#[test]
fn an_event_without_a_callback_is_carried_out() {
    use std::os::unix::fs::FileExt;
    for driver in drivers() {
        let file = numbered_file(1);
        let (tx, rx) = io_engine::channel::<Enter>(4);
        let ctx = IOContext::new(4, rx, &Inline, driver).unwrap();
        tx.send(IOEvent::new(&file, vec![7; 100].into(), IOAction::Write, 0))
            .unwrap();
        ctx.shutdown().unwrap();
        let mut block = [0; 101];
        file.read_exact_at(&mut block, 0).unwrap();
        assert_eq!((block[99], block[100]), (7, 0));
    }
}

#[test]
fn d17_no_more_than_depth_requests_are_in_flight_and_all_are_served() {
    for driver in drivers() {
        let (file, ledger) = (numbered_file(16), Ledger::default());
        let mut engine = EventLoop::<Enter>::new(3, driver).unwrap();
        let mut next = 0;
        while ledger.len() < 1000 {
            while next < 1000 && engine.submit(read(&file, next % 16, &ledger, next)).is_ok() {
                next += 1;
            }
            assert!(engine.in_flight() <= 3);
            engine.run(Wait::For(1)).unwrap();
        }
        assert_eq!(ledger.count_done(), 1000);
    }
}
