//! The bounds of a context whose queue to the kernel breaks.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::time::{Duration, Instant};

use crossbeam_channel::{after, bounded};
use io_engine::callback_worker::IOWorkers;
use io_engine::tasks::{ClosureCb, IOAction, IOEvent};
use io_engine::{Driver, IOContext, Submitter};
use machine::child::in_child;
use machine::sandbox::{AIO, URING, forbid_everywhere};
use machine::{drivers, numbered_file, within_deadline};

mod machine;

/// Workers that are far behind hold the senders back, also where no event gets to the kernel.
fn hold_senders_back(driver: Driver) {
    let file = numbered_file(1);
    let (tx, rx) = io_engine::channel::<ClosureCb>(16);
    let ctx = IOContext::new(8, rx, &IOWorkers::new(1), driver).unwrap();
    let (release, held) = bounded::<()>(0);
    forbid_everywhere(&URING, libc::EPERM);
    forbid_everywhere(&AIO, libc::ENOSYS);
    let mut accepted = 0;
    loop {
        let (mut event, held) = (
            IOEvent::new(&file, vec![0; 10].into(), IOAction::Read, 0),
            held.clone(),
        );
        event.set_callback(ClosureCb::new(move |event| {
            let _ = held.recv();
            assert!(event.get_result().is_err(), "the queue is broken");
        }));
        match tx.try_send(event) {
            Ok(()) => accepted += 1,
            Err(_) if is_full_for(&tx, Duration::from_millis(200)) => break,
            Err(_) => {}
        }
        assert!(accepted < 1000, "{driver}: {accepted} wait for one worker");
    }
    drop(release);
    ctx.shutdown().unwrap();
}

fn is_full_for(tx: &Submitter<ClosureCb>, time: Duration) -> bool {
    let began = Instant::now();
    while tx.len() == tx.capacity() {
        if began.elapsed() >= time {
            return true;
        }
        let _ = after(Duration::from_millis(1)).recv();
    }
    false
}

fn in_child_with(name: &str, driver: Driver) {
    in_child(name, || {
        if drivers().contains(&driver) {
            within_deadline("a broken queue", move || hold_senders_back(driver));
        }
    });
}

#[test]
fn a_broken_ring_holds_senders_back_where_workers_are_behind() {
    let name = "a_broken_ring_holds_senders_back_where_workers_are_behind";
    in_child_with(name, Driver::Uring);
}

#[test]
fn a_broken_aio_queue_holds_senders_back_where_workers_are_behind() {
    let name = "a_broken_aio_queue_holds_senders_back_where_workers_are_behind";
    in_child_with(name, Driver::Aio);
}
