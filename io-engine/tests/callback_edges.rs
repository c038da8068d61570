//! Callbacks that wait, that are greedy, and loops that end with their thread.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Sender, after, bounded};
use io_engine::callback_worker::{IOWorkers, Inline};
use io_engine::merge::MergeLimits;
use io_engine::tasks::{ClosureCb, IOAction, IOCallback, IOEvent};
use io_engine::{Buffer, Driver, EventLoop, IOContext, Idle, Submitter, resubmit};
use machine::{DEADLINE, Enter, Ledger, drivers, numbered_file, within_deadline};

mod machine;

fn read(file: &Arc<std::fs::File>, block: u64) -> IOEvent<ClosureCb> {
    let offset = i64::try_from(block * 4096).expect("a small file");
    let buffer = Buffer::aligned(4096).expect("memory");
    IOEvent::new(file, buffer, IOAction::Read, offset)
}

#[test]
fn a_loop_and_a_context_in_thread_locals_end_with_their_thread() {
    thread_local! {
        static CONTEXT: RefCell<Option<(IOContext<Enter>, Submitter<Enter>)>> =
            const { RefCell::new(None) };
        static LOOP: RefCell<Option<EventLoop<Enter>>> = const { RefCell::new(None) };
    }
    for driver in drivers() {
        let (file, ledger) = (numbered_file(1), Ledger::default());
        let entries = ledger.clone();
        let event = move |id| {
            let buffer = Buffer::aligned(4096).unwrap();
            let mut event = IOEvent::new(&file, buffer, IOAction::Read, 0);
            event.set_callback(entries.callback(id));
            event
        };
        std::thread::spawn(move || {
            let (tx, rx) = io_engine::channel(4);
            let ctx = IOContext::new(4, rx, &Inline, driver).unwrap();
            tx.send(event(0)).unwrap();
            CONTEXT.set(Some((ctx, tx)));
            let mut engine = EventLoop::new(4, driver).unwrap();
            engine.submit(event(1)).unwrap();
            LOOP.set(Some(engine));
        })
        .join()
        .unwrap();
        ledger.wait_for(2);
        assert_eq!(ledger.count_done(), 2, "{driver}");
    }
}

#[test]
fn a_callback_may_wait_for_what_it_handed_over_when_all_senders_are_gone() {
    for driver in drivers() {
        within_deadline("a callback that waits for its own event", move || {
            let file = numbered_file(2);
            let (tx, rx) = io_engine::channel(4);
            let ctx = IOContext::<ClosureCb, _>::new(4, rx, &IOWorkers::new(2), driver).unwrap();
            let (tell, told) = bounded(1);
            let (senders_gone, wait_for_it) = bounded::<()>(0);
            let mut event = read(&file, 0);
            let again = Arc::clone(&file);
            event.set_callback(ClosureCb::new(move |_| {
                let _ = wait_for_it.recv();
                let (second, seconds) = bounded(1);
                let mut next = read(&again, 1);
                next.set_callback(ClosureCb::new(move |event| {
                    second.send(event.get_result().unwrap()).unwrap();
                }));
                resubmit(next).expect("one for one");
                tell.send(seconds.recv_timeout(DEADLINE)).unwrap();
            }));
            tx.send(event).unwrap();
            drop(tx);
            drop(senders_gone);
            assert_eq!(told.recv_timeout(DEADLINE).unwrap(), Ok(4096));
            ctx.shutdown().unwrap();
        });
    }
}

struct Once {
    tell: Sender<bool>,
    last: bool,
}

impl IOCallback for Once {
    fn call(self, event: IOEvent<Self>) {
        if self.last {
            return;
        }
        let again = Self {
            tell: self.tell.clone(),
            last: true,
        };
        let mut next = IOEvent::new(event.file().clone(), vec![0; 10].into(), IOAction::Read, 0);
        next.set_callback(again);
        self.tell
            .send(resubmit(next).is_ok())
            .expect("the test listens");
    }
}

#[test]
fn every_event_of_a_merged_run_has_the_right_to_hand_over_one() {
    const EVENTS: i64 = 64;
    for driver in drivers() {
        let file = numbered_file(64);
        let (tell, told) = bounded(64);
        let (tx, rx) = io_engine::channel(64);
        for number in 0..EVENTS {
            let buffer = Buffer::aligned(4096).unwrap();
            let mut event = IOEvent::new(&file, buffer, IOAction::Read, number * 4096);
            event.set_callback(Once {
                tell: tell.clone(),
                last: false,
            });
            tx.send(event).unwrap();
        }
        let ctx = IOContext::builder()
            .depth(4)
            .driver(driver)
            .merge(MergeLimits::default())
            .build(rx, &IOWorkers::new(1))
            .unwrap();
        for _ in 0..EVENTS {
            assert!(told.recv_timeout(DEADLINE).unwrap(), "{driver}: refused");
        }
        ctx.shutdown().unwrap();
    }
}

#[test]
fn a_greedy_callback_takes_no_place_from_its_neighbours() {
    let file = numbered_file(1);
    let (tx, rx) = io_engine::channel(8);
    let pool = IOWorkers::new(1);
    let ctx = IOContext::<ClosureCb, _>::new(1, rx, &pool, Driver::Threads).unwrap();
    let (tell, told) = bounded(8);
    for greed in [1000, 1] {
        let (again, tell) = (Arc::clone(&file), tell.clone());
        let mut event = read(&file, 0);
        event.set_callback(ClosureCb::new(move |_| {
            let taken = (0..greed)
                .take_while(|_| resubmit(read(&again, 0)).is_ok())
                .count();
            tell.send(taken).unwrap();
        }));
        tx.send(event).unwrap();
    }
    assert!(told.recv_timeout(DEADLINE).unwrap() >= 1);
    assert_eq!(
        told.recv_timeout(DEADLINE).unwrap(),
        1,
        "the neighbour's own right"
    );
    ctx.shutdown().unwrap();
}

/// A pipe is the one file that is slow for as long as a test likes.
#[test]
fn a_slow_file_does_not_open_the_bounds_of_a_plain_channel() {
    use std::os::fd::AsRawFd;
    if !drivers().contains(&Driver::Uring) {
        return;
    }
    let (reader, writer) = std::io::pipe().unwrap();
    let (tx, rx) = bounded(1);
    let ctx = IOContext::<ClosureCb, _>::new(1, rx, &Inline, Driver::Uring).unwrap();
    let stuck = || IOEvent::new(reader.as_raw_fd(), vec![0; 1].into(), IOAction::Read, 0);
    let mut accepted = 0;
    while tx.send_timeout(stuck(), Duration::from_millis(300)).is_ok() {
        accepted += 1;
        assert!(accepted < 10, "the channel of one took {accepted}");
    }
    drop(writer);
    ctx.shutdown().unwrap();
}

/// What finds no room in the workers' queue is handed on while the loop spins, not after it.
#[test]
fn a_loop_that_spins_for_ever_hands_on_what_workers_had_no_room_for() {
    const EVENTS: usize = 50;
    for driver in drivers() {
        within_deadline("slow callbacks of a loop that spins", move || {
            let file = numbered_file(1);
            let (tx, rx) = io_engine::channel(64);
            let (tell, told) = bounded(EVENTS);
            for _ in 0..EVENTS {
                let (mut event, tell) = (read(&file, 0), tell.clone());
                event.set_callback(ClosureCb::new(move |_| {
                    let _ = after(Duration::from_millis(1)).recv();
                    tell.send(()).expect("the test listens");
                }));
                tx.send(event).unwrap();
            }
            let ctx = IOContext::<ClosureCb, _>::builder()
                .depth(4)
                .driver(driver)
                .idle(Idle::Spin(Duration::MAX))
                .build(rx, &IOWorkers::new(1))
                .unwrap();
            for _ in 0..EVENTS {
                told.recv_timeout(DEADLINE).unwrap();
            }
            ctx.shutdown().unwrap();
        });
    }
}

#[test]
fn a_loop_dropped_on_another_thread_still_calls_every_callback() {
    use std::os::fd::AsRawFd;
    if !drivers().contains(&Driver::Uring) {
        return;
    }
    let ((reader, _writer), ledger) = (std::io::pipe().unwrap(), Ledger::default());
    let mut engine = EventLoop::<Enter>::new(4, Driver::Uring).unwrap();
    for id in 0..2 {
        let buffer = Buffer::from(vec![0; 1]);
        let mut event = IOEvent::new(reader.as_raw_fd(), buffer, IOAction::Read, 0);
        event.set_callback(ledger.callback(id));
        engine.submit(event).unwrap();
        engine.run(io_engine::Wait::Never).unwrap();
    }
    std::thread::spawn(move || drop(engine)).join().unwrap();
    assert_eq!(ledger.len(), 2);
    assert_eq!(ledger.count_done(), 0);
}
