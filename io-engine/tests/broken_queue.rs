//! A queue to the kernel that breaks while the engine runs: every event still gets its callback.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use heard::heard_while;
use io_engine::callback_worker::{IOWorkers, Inline};
use io_engine::tasks::{IOAction, IOEvent};
use io_engine::{Driver, EventLoop, IOContext, ShutdownError, Submitter, Wait};
use machine::child::in_child;
use machine::engine::{Reply, read_block};
use machine::sandbox::{AIO, URING, close_number, forbid, forbid_everywhere, hang};
use machine::{Enter, Ledger, Outcome, drivers, numbered_file, within_deadline};

mod heard;
mod machine;

fn read(file: &Arc<File>, ledger: &Ledger, id: u64) -> IOEvent<Enter> {
    let mut event = IOEvent::new(file, vec![0; 4096].into(), IOAction::Read, 0);
    event.set_callback(ledger.callback(id));
    event
}

fn forbid_all() {
    forbid_everywhere(&URING, libc::EPERM);
    forbid_everywhere(&AIO, libc::ENOSYS);
}

fn context(driver: Driver, workers: bool) -> (IOContext<Enter>, Submitter<Enter>) {
    let (tx, rx) = io_engine::channel(64);
    let ctx = if workers {
        IOContext::new(8, rx, &IOWorkers::new(1), driver)
    } else {
        IOContext::new(8, rx, &Inline, driver)
    };
    (ctx.unwrap(), tx)
}

/// What is sent to a context before and after the interfaces are forbidden to all threads.
fn break_under_a_context(driver: Driver, workers: bool) {
    let (file, ledger) = (numbered_file(1), Ledger::default());
    let (ctx, tx) = context(driver, workers);
    tx.send_batch((0..20).map(|id| read(&file, &ledger, id)))
        .unwrap();
    ledger.wait_for(20);
    assert_eq!(ledger.count_done(), 20);

    // One that stays inside: only a ring can wait for a pipe.
    let (reader, mut writer) = std::io::pipe().unwrap();
    let stuck = u64::from(driver == Driver::Uring);
    if driver == Driver::Uring {
        let reader = Arc::new(OwnedFd::from(reader));
        let mut event = IOEvent::new(reader, vec![0; 4].into(), IOAction::Read, 0);
        event.set_callback(ledger.callback(1000));
        tx.send(event).unwrap();
    }
    forbid_all();
    for id in 20..60 {
        tx.send(read(&file, &ledger, id)).unwrap();
    }
    ledger.wait_for(60 + usize::try_from(stuck).unwrap());
    for id in (20..60).chain((1000..).take(usize::try_from(stuck).unwrap())) {
        assert!(
            matches!(ledger.get(id), Some(Outcome::Failed(_))),
            "{driver}: {id}"
        );
    }
    // What comes even later is answered too, and the end is an end.
    tx.send(read(&file, &ledger, 2000)).unwrap();
    ctx.shutdown().unwrap();
    assert!(matches!(ledger.get(2000), Some(Outcome::Failed(_))));
    assert_eq!(ledger.len(), 61 + usize::try_from(stuck).unwrap());
    assert!(tx.send(read(&file, &ledger, 3000)).is_err());
    let _ = writer.write_all(b"late");
}

fn in_children_of(name: &str, body: impl FnOnce() + Send + 'static) {
    in_child(name, || within_deadline("a broken queue", body));
}

fn starts(driver: Driver) -> bool {
    drivers().contains(&driver)
}

#[test]
fn a_context_whose_ring_breaks_answers_every_event_and_ends() {
    in_children_of(
        "a_context_whose_ring_breaks_answers_every_event_and_ends",
        || {
            if starts(Driver::Uring) {
                break_under_a_context(Driver::Uring, false);
            }
        },
    );
}

#[test]
fn a_context_whose_ring_breaks_answers_every_event_on_its_workers() {
    let name = "a_context_whose_ring_breaks_answers_every_event_on_its_workers";
    in_children_of(name, || {
        if starts(Driver::Uring) {
            break_under_a_context(Driver::Uring, true);
        }
    });
}

#[test]
fn a_context_whose_aio_breaks_answers_every_event_and_ends() {
    in_children_of(
        "a_context_whose_aio_breaks_answers_every_event_and_ends",
        || {
            if starts(Driver::Aio) {
                break_under_a_context(Driver::Aio, false);
            }
        },
    );
}

#[test]
fn a_context_that_is_dropped_after_its_queue_broke_ends() {
    in_children_of(
        "a_context_that_is_dropped_after_its_queue_broke_ends",
        || {
            let ledger = Ledger::default();
            let file = numbered_file(1);
            let contexts: Vec<_> = drivers()
                .into_iter()
                .map(|one| context(one, false))
                .collect();
            for ((_, tx), id) in contexts.iter().zip(0..) {
                tx.send(read(&file, &ledger, id)).unwrap();
            }
            let count = contexts.len();
            ledger.wait_for(count);
            forbid_all();
            for ((_, tx), id) in contexts.iter().zip(100..) {
                tx.send(read(&file, &ledger, id)).unwrap();
            }
            drop(contexts);
            assert_eq!(ledger.len(), 2 * count);
        },
    );
}

#[test]
fn a_loop_whose_queue_breaks_calls_every_callback_and_says_so() {
    in_children_of(
        "a_loop_whose_queue_breaks_calls_every_callback_and_says_so",
        || {
            let (file, ledger) = (numbered_file(1), Ledger::default());
            let kernel_drivers = [Driver::Uring, Driver::Aio];
            let usable = drivers()
                .into_iter()
                .filter(|one| kernel_drivers.contains(one));
            let mut engines: Vec<_> = usable
                .map(|driver| EventLoop::<Enter>::new(4, driver).unwrap())
                .collect();
            for (engine, id) in engines.iter_mut().zip(0..) {
                engine.submit(read(&file, &ledger, id)).unwrap();
                assert_eq!(engine.run(Wait::For(1)).unwrap(), 1);
            }
            forbid_all();
            for (engine, first) in engines.iter_mut().zip([100, 200]) {
                for id in first..first + 4 {
                    engine.submit(read(&file, &ledger, id)).unwrap();
                }
                engine.run(Wait::For(4)).unwrap_err();
                assert_eq!(engine.in_flight(), 0);
                for id in first..first + 4 {
                    assert!(matches!(ledger.get(id), Some(Outcome::Failed(_))), "{id}");
                }
                engine.submit(read(&file, &ledger, first + 10)).unwrap();
                engine.run(Wait::Never).unwrap_err();
                let last = ledger.get(first + 10).unwrap();
                let denied = [ErrorKind::BrokenPipe, ErrorKind::Unsupported];
                assert!(
                    matches!(last, Outcome::Failed(kind) if denied.contains(&kind)),
                    "{last:?}"
                );
            }
        },
    );
}

/// To close the queue would wait for what the kernel had when it broke, and the device may hang by now.
#[test]
fn a_loop_whose_aio_broke_does_not_close_it_at_the_end_of_its_deadline() {
    let name = "a_loop_whose_aio_broke_does_not_close_it_at_the_end_of_its_deadline";
    in_children_of(name, || {
        if !starts(Driver::Aio) {
            return;
        }
        let (file, ledger) = (numbered_file(1), Ledger::default());
        let mut engine = EventLoop::new(4, Driver::Aio).unwrap();
        // It can be sent, but nothing of it is heard.
        forbid(&AIO[2..], libc::EPERM);
        engine.submit(read(&file, &ledger, 0)).unwrap();
        engine.run(Wait::For(1)).unwrap_err();
        assert_eq!(ledger.len(), 1);
        let said = heard_while(|| engine.shutdown_timeout(Duration::ZERO).unwrap());
        let mut of_closing = said.iter().filter(|message| {
            let text = message.get("message").unwrap_or_default();
            message.is_warning && text.contains("io_destroy")
        });
        assert!(of_closing.next().is_none(), "it was tried, in vain");
    });
}

/// The queue is broken for good, but a call beside it can be waited for, and given up.
#[test]
fn a_call_that_hangs_beside_a_broken_queue_is_waited_for_as_long_as_is_asked() {
    let name = "a_call_that_hangs_beside_a_broken_queue_is_waited_for_as_long_as_is_asked";
    in_children_of(name, || {
        if !starts(Driver::Aio) {
            return;
        }
        let (file, ledger) = (numbered_file(1), Ledger::default());
        let mut engines = [(); 2].map(|()| EventLoop::new(4, Driver::Aio).unwrap());
        let hung = hang(libc::SYS_fallocate);
        forbid(&AIO[1..3], libc::EPERM);
        for (engine, first) in engines.iter_mut().zip([0, 10]) {
            let mut allocation = IOEvent::new_no_buf(&file, IOAction::Allocate, 0, 512);
            allocation.set_callback(ledger.callback(first));
            engine.submit(allocation).unwrap();
            for id in first + 1..first + 4 {
                engine.submit(read(&file, &ledger, id)).unwrap();
                assert_eq!(engine.run(Wait::Never).unwrap(), 1);
                assert!(matches!(ledger.get(id), Some(Outcome::Failed(_))));
            }
            let soon = Instant::now() + Duration::from_millis(10);
            assert_eq!(engine.run(Wait::Until(soon)).unwrap(), 0);
            assert!(Instant::now() >= soon);
            assert_eq!(engine.in_flight(), 1);
        }
        let [mut goes_on, ends] = engines;
        let ended = ends.shutdown_timeout(Duration::from_millis(10));
        assert_eq!(ended, Err(ShutdownError::StillInFlight(1)));
        drop(hung);
        // With the last call the end has come.
        goes_on.run(Wait::For(1)).unwrap_err();
        assert_eq!((ledger.len(), goes_on.in_flight()), (8, 0));
    });
}

#[test]
fn a_context_with_a_call_that_hangs_beside_a_broken_queue_goes_on_and_ends_in_time() {
    let name = "a_context_with_a_call_that_hangs_beside_a_broken_queue_goes_on_and_ends_in_time";
    in_children_of(name, || {
        if !starts(Driver::Aio) {
            return;
        }
        let (file, ledger) = (numbered_file(1), Ledger::default());
        let _hung = hang(libc::SYS_fallocate);
        let (ctx, tx) = context(Driver::Aio, false);
        let mut allocation = IOEvent::new_no_buf(&file, IOAction::Allocate, 0, 512);
        allocation.set_callback(ledger.callback(0));
        tx.send(allocation).unwrap();
        tx.send(read(&file, &ledger, 1)).unwrap();
        ledger.wait_for(1);
        forbid_everywhere(&AIO[1..3], libc::EPERM);
        for id in 2..20 {
            tx.send(read(&file, &ledger, id)).unwrap();
            ledger.wait_for(usize::try_from(id).unwrap());
            assert!(matches!(ledger.get(id), Some(Outcome::Failed(_))));
        }
        let ended = ctx.shutdown_timeout(Duration::from_millis(10));
        assert_eq!(ended, Err(ShutdownError::StillInFlight(1)));
        assert_eq!(ledger.len(), 20);
    });
}

/// The memory of a machine may be short for a second, and no more than the events is lost then.
#[test]
fn what_a_ring_could_not_send_comes_back_with_its_buffer() {
    in_children_of(
        "what_a_ring_could_not_send_comes_back_with_its_buffer",
        || {
            for errno in [libc::EAGAIN, libc::EBUSY, libc::EINVAL, libc::EBADF] {
                if !starts(Driver::Uring) {
                    return;
                }
                // Filters bind the thread that installs them.
                let ended = thread::spawn(move || {
                    let mut engine = EventLoop::new(4, Driver::Uring).unwrap();
                    let (file, (tx, rx)) = (numbered_file(2), crossbeam_channel::bounded(4));
                    for is_forbidden in [false, true] {
                        if is_forbidden {
                            forbid(&[libc::SYS_io_uring_enter], errno);
                        }
                        for block in 0..2 {
                            let mut event = read_block(&file, block);
                            event.set_callback(Reply::telling(tx.clone()));
                            engine.submit(event).unwrap();
                        }
                        let ran = engine.run(Wait::For(2));
                        assert_eq!(ran.is_err(), is_forbidden);
                    }
                    rx.try_iter().collect::<Vec<_>>()
                });
                let ended = ended.join().unwrap();
                assert_eq!(ended.len(), 4);
                for (_, event) in &ended[2..] {
                    let kind = event.get_result().unwrap_err().kind();
                    assert_eq!(kind, ErrorKind::BrokenPipe);
                    assert!(event.buffer().is_some(), "{errno}");
                }
            }
        },
    );
}

/// The numbers of the process's rings.
fn rings() -> Vec<i32> {
    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    let of_ring = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.ok()?;
        let target = std::fs::read_link(entry.path()).ok()?;
        let is_ring = target.to_str()?.contains("[io_uring]");
        entry.file_name().to_str()?.parse().ok().filter(|_| is_ring)
    };
    open.filter_map(of_ring).collect()
}

#[test]
fn a_ring_whose_number_was_closed_answers_everything_and_closes_nothing_else() {
    let name = "a_ring_whose_number_was_closed_answers_everything_and_closes_nothing_else";
    in_children_of(name, || {
        if !starts(Driver::Uring) {
            return;
        }
        for reuses_number in [false, true] {
            let (file, ledger) = (numbered_file(1), Ledger::default());
            let mut engine = EventLoop::new(8, Driver::Uring).unwrap();
            engine.submit(read(&file, &ledger, 0)).unwrap();
            assert_eq!(engine.run(Wait::For(1)).unwrap(), 1);
            let [ring] = rings()[..] else {
                panic!("one ring");
            };
            close_number(ring);
            // The lowest free number is the next that is given out.
            let other = reuses_number.then(|| numbered_file(1));
            if let Some(other) = &other {
                assert_eq!(std::os::fd::AsRawFd::as_raw_fd(other), ring);
            }
            engine.submit(read(&file, &ledger, 1)).unwrap();
            engine.run(Wait::For(1)).unwrap_err();
            assert!(matches!(ledger.get(1), Some(Outcome::Failed(_))));
            drop(engine);
            if let Some(other) = other {
                assert_eq!(other.metadata().unwrap().len(), 4096, "it is still open");
            }
        }
    });
}
