//! What hangs is told of, and nothing else is.
#![cfg(all(feature = "sim", feature = "merge"))]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::time::{Duration, Instant};

use heard::{Message, heard_while};
use io_engine::merge::MergeLimits;
use io_engine::sim::{Fault, SimDisk};
use io_engine::tasks::{IOAction, IOEvent};
use io_engine::{EventLoop, LoopBuilder, Wait};

mod heard;

const LIMIT: Duration = Duration::from_millis(40);

fn read(disk: &SimDisk, offset: i64) -> IOEvent<()> {
    IOEvent::new(
        disk.open("data"),
        vec![0; 100].into(),
        IOAction::Read,
        offset,
    )
}

/// Runs a loop on a disk that hangs from the `from`-th request on, for so long.
fn told(builder: LoopBuilder<()>, from: u64, time: Duration) -> Vec<Message> {
    let disk = SimDisk::new(1);
    disk.put(disk.open("data"), &[1; 4096]);
    disk.inject(Fault::Hang.from_nth(from));
    let mut engine = builder.simulated(&disk).build().unwrap();
    heard_while(|| {
        for index in 0..3 {
            engine.submit(read(&disk, 1000 * index)).unwrap();
        }
        let until = Instant::now() + time;
        while Instant::now() < until && engine.in_flight() > 0 {
            engine.run(Wait::Until(until)).unwrap();
        }
        disk.heal();
        engine.run(Wait::For(3)).unwrap();
        assert_eq!(engine.in_flight(), 0);
    })
}

#[test]
fn a_request_that_hangs_is_told_of_with_its_place_and_age() {
    let messages = told(EventLoop::builder().log_stuck_io(LIMIT), 2, 2 * LIMIT);
    assert_eq!(messages.len(), 2, "{messages:?}");
    for (message, offset) in messages.iter().zip(["1000", "2000"]) {
        assert!(message.is_warning);
        assert_eq!(message.get("offset"), Some(offset));
        assert_eq!(message.get("length"), Some("100"));
        assert_eq!(message.get("action"), Some("Read"));
        assert!(message.get("fd").is_some() && message.get("path").is_some());
        let age = message.get("age").unwrap();
        assert!(age.ends_with("ms"), "{age}");
        assert!(age.trim_end_matches("ms").parse::<f64>().unwrap() >= 40.0);
    }
}

#[test]
fn it_is_told_again_each_time_that_its_age_has_doubled() {
    let messages = told(EventLoop::builder().log_stuck_io(LIMIT), 3, 8 * LIMIT);
    // At 1, 2 and 4 times the limit, and each look may be late on a busy machine.
    assert!((2..=3).contains(&messages.len()), "{messages:?}");
}

#[test]
fn a_run_is_told_of_as_one() {
    let disk = SimDisk::new(1);
    disk.put(disk.open("data"), &[1; 4096]);
    disk.inject(Fault::Hang.from_nth(1));
    let builder = EventLoop::builder().merge(MergeLimits::default());
    let mut engine = builder
        .simulated(&disk)
        .log_stuck_io(LIMIT)
        .build()
        .unwrap();
    let messages = heard_while(|| {
        for index in 0..8 {
            engine.submit(read(&disk, 100 * index)).unwrap();
        }
        engine.run(Wait::Until(Instant::now() + 2 * LIMIT)).unwrap();
        disk.heal();
        engine.run(Wait::For(8)).unwrap();
    });
    assert_eq!(messages.len(), 1, "{messages:?}");
    assert_eq!(messages[0].get("length"), Some("800"));
}

#[test]
fn what_is_answered_in_time_is_not_told_of_however_long_it_goes_on() {
    let disk = SimDisk::new(1);
    let file = disk.open("data");
    let builder = EventLoop::builder().simulated(&disk).log_stuck_io(LIMIT);
    let mut engine: EventLoop<()> = builder.build().unwrap();
    let messages = heard_while(|| {
        let until = Instant::now() + 4 * LIMIT;
        while Instant::now() < until {
            engine.submit(IOEvent::sync(file)).unwrap();
            assert_eq!(engine.run(Wait::For(1)).unwrap(), 1);
        }
    });
    assert!(messages.is_empty(), "{messages:?}");
}

#[test]
fn without_being_asked_for_it_says_nothing() {
    assert!(told(EventLoop::builder(), 1, 2 * LIMIT).is_empty());
}
