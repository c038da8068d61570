//! Callbacks hand events over again, and neither block nor deadlock by it.

use std::fs::File;
use std::sync::Arc;

use io_engine::callback_worker::{IOWorkers, Inline};
use io_engine::tasks::{IOAction, IOCallback, IOEvent};
use io_engine::{Buffer, EventLoop, IOContext, Wait};
use machine::{DEADLINE, drivers, numbered_file, within_deadline};

mod machine;

struct Chain {
    left: u32,
    tell: crossbeam_channel::Sender<u32>,
    again: Again,
}

#[derive(Clone)]
enum Again {
    Resubmit,
    Submitter(io_engine::Submitter<Chain>),
    Plain(crossbeam_channel::Sender<IOEvent<Chain>>),
}

impl IOCallback for Chain {
    fn call(self, event: IOEvent<Self>) {
        let Self { left, tell, again } = self;
        let file = event.file().clone();
        let buffer = event.get_read_result().expect("the file has a block");
        if left == 0 {
            return tell.send(0).expect("the test listens");
        }
        let mut next = IOEvent::new(file, buffer, IOAction::Read, 0);
        next.set_callback(Self {
            left: left - 1,
            tell,
            again: again.clone(),
        });
        match again {
            Again::Resubmit => io_engine::resubmit(next).expect("one for one"),
            Again::Submitter(tx) => tx.send(next).expect("one for one"),
            Again::Plain(tx) => tx.send(next).expect("the context lives"),
        }
    }
}

fn chain(file: &Arc<File>, tell: &crossbeam_channel::Sender<u32>, again: Again) -> IOEvent<Chain> {
    let mut event = IOEvent::new(
        file,
        Buffer::aligned(4096).expect("memory"),
        IOAction::Read,
        0,
    );
    event.set_callback(Chain {
        left: 50,
        tell: tell.clone(),
        again,
    });
    event
}

/// More chains than depth and channel hold together, so that all of it is full all the time.
#[test]
fn d18_callbacks_that_submit_again_never_deadlock_with_the_loop() {
    const CHAINS: usize = 12;
    for driver in drivers() {
        for workers in [None, Some(1), Some(3)] {
            for depth in [1, 4] {
                within_deadline("resubmission through the engine's channel", move || {
                    let (file, (tell, told)) = (numbered_file(1), crossbeam_channel::bounded(64));
                    let (tx, rx) = io_engine::channel(1);
                    let ctx = match workers {
                        None => IOContext::new(depth, rx, &Inline, driver).unwrap(),
                        Some(n) => IOContext::new(depth, rx, &IOWorkers::new(n), driver).unwrap(),
                    };
                    for number in 0..CHAINS {
                        let again = match number % 2 {
                            0 => Again::Resubmit,
                            _ => Again::Submitter(tx.clone()),
                        };
                        tx.send(chain(&file, &tell, again)).unwrap();
                    }
                    for _ in 0..CHAINS {
                        told.recv_timeout(DEADLINE).unwrap();
                    }
                    ctx.shutdown().unwrap();
                });
                within_deadline("resubmission through a plain channel", move || {
                    let (file, (tell, told)) = (numbered_file(1), crossbeam_channel::bounded(64));
                    let (tx, rx) = crossbeam_channel::bounded(1);
                    let ctx = match workers {
                        None => IOContext::new(depth, rx, &Inline, driver).unwrap(),
                        Some(n) => IOContext::new(depth, rx, &IOWorkers::new(n), driver).unwrap(),
                    };
                    for _ in 0..CHAINS {
                        tx.send(chain(&file, &tell, Again::Plain(tx.clone())))
                            .unwrap();
                    }
                    for _ in 0..CHAINS {
                        told.recv_timeout(DEADLINE).unwrap();
                    }
                    ctx.shutdown().unwrap();
                });
            }
        }
    }
}

#[test]
fn resubmission_outside_of_a_callback_gives_the_event_back() {
    let event = IOEvent::<()>::new(0, Buffer::aligned(512).unwrap(), IOAction::Read, 512);
    let refused = io_engine::resubmit(event).unwrap_err();
    assert!(!refused.is_full());
    assert_eq!(refused.into_inner().offset(), 512);
}

struct FanOut {
    tell: crossbeam_channel::Sender<Result<(), bool>>,
}

impl IOCallback for FanOut {
    fn call(self, event: IOEvent<Self>) {
        for _ in 0..100 {
            let again: IOEvent<Self> =
                IOEvent::new(event.file().clone(), vec![0; 10].into(), IOAction::Read, 0);
            let result = io_engine::resubmit(again).map_err(|refused| refused.is_full());
            self.tell.send(result).expect("the test listens");
        }
    }
}

#[test]
fn the_local_queue_is_bounded_and_refuses_with_the_event() {
    for driver in drivers() {
        let (tell, told) = crossbeam_channel::bounded(100);
        let mut engine = EventLoop::<FanOut>::new(4, driver).unwrap();
        let file = numbered_file(1);
        let mut event = IOEvent::new(&file, vec![0; 10].into(), IOAction::Read, 0);
        event.set_callback(FanOut { tell });
        engine.submit(event).unwrap();
        engine.run(Wait::For(1)).unwrap();
        let results: Vec<_> = told.try_iter().collect();
        let accepted = results.iter().filter(|result| result.is_ok()).count();
        assert_eq!(accepted, 4, "as many as the depth");
        assert!(
            results[accepted..]
                .iter()
                .all(|result| *result == Err(true))
        );
        while engine.in_flight() > 0 {
            engine.run(Wait::For(1)).unwrap();
        }
    }
}
