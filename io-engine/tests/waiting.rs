//! How long `EventLoop::run` takes, and what ends it early.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use io_engine::tasks::{IOAction, IOCallback, IOEvent};
use io_engine::{Buffer, Driver, EventLoop, Wait};
use machine::{DEADLINE, drivers, numbered_file, within_deadline};

mod machine;

/// A moment that no test waits for.
fn much_later() -> Instant {
    Instant::now() + 4 * DEADLINE
}

#[derive(Clone, Default)]
struct Count(Arc<AtomicUsize>);

impl IOCallback for Count {
    fn call(self, event: IOEvent<Self>) {
        event.get_result().expect("what is asked for here works");
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Count {
    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    fn submit(&self, engine: &mut EventLoop<Self>, mut event: IOEvent<Self>) {
        event.set_callback(self.clone());
        engine.submit(event).expect("there is room");
    }
}

fn read(file: &Arc<File>) -> IOEvent<Count> {
    IOEvent::new(file, Buffer::aligned(4096).unwrap(), IOAction::Read, 0)
}

/// What AIO hands to the threads beside it.
fn allocate(file: &Arc<File>) -> IOEvent<Count> {
    IOEvent::new_no_buf(file, IOAction::AllocateKeepSize, 0, 4096)
}

fn run_for(engine: &mut EventLoop<Count>, wanted: usize) -> usize {
    let called = engine.run(Wait::For(wanted)).unwrap();
    assert!(called >= wanted, "{called} for {wanted}");
    called
}

fn on_every_driver(what: &str, body: impl Fn(EventLoop<Count>, Count) + Clone + Send + 'static) {
    for driver in drivers() {
        let body = body.clone();
        within_deadline(&format!("{what}: {driver}"), move || {
            body(EventLoop::new(8, driver).unwrap(), Count::default());
        });
    }
}

#[test]
fn waiting_for_a_number_returns_with_at_least_it_and_with_all_if_they_are_fewer() {
    on_every_driver("For", |mut engine, count| {
        for make in [read, allocate] {
            let file = numbered_file(1);
            for wanted in [0, 1, 3, 5, 8, 100, usize::MAX] {
                let before = count.get();
                (0..8).for_each(|_| count.submit(&mut engine, make(&file)));
                let called = run_for(&mut engine, wanted.min(8));
                assert_eq!(count.get() - before, called, "every callback is counted");
                assert_eq!(engine.in_flight(), 8 - called);
                let rest = run_for(&mut engine, 8 - called);
                assert_eq!((called + rest, engine.in_flight()), (8, 0));
            }
        }
    });
}

#[test]
fn with_nothing_inside_only_a_wait_for_a_moment_sleeps() {
    on_every_driver("nothing inside", |mut engine, _| {
        assert_eq!(engine.run(Wait::Never).unwrap(), 0);
        assert_eq!(engine.run(Wait::For(1)).unwrap(), 0);
        assert_eq!(engine.run(Wait::Until(Instant::now())).unwrap(), 0);
        let start = Instant::now();
        let moment = start + Duration::from_millis(30);
        assert_eq!(engine.run(Wait::Until(moment)).unwrap(), 0);
        assert!(start.elapsed() >= Duration::from_millis(30));
    });
}

#[test]
fn waiting_for_a_moment_ends_with_the_first_event() {
    on_every_driver("Until", |mut engine, count| {
        for make in [read, allocate] {
            let file = numbered_file(1);
            for inside in [1, 2, 8] {
                (0..inside).for_each(|_| count.submit(&mut engine, make(&file)));
                let mut called = 0;
                while called < inside {
                    let now = engine.run(Wait::Until(much_later())).unwrap();
                    assert!(now > 0, "it returned for nothing");
                    called += now;
                }
            }
        }
    });
}

#[test]
fn not_waiting_sends_and_collects_all_the_same() {
    on_every_driver("Never", |mut engine, count| {
        for make in [read, allocate] {
            let (file, before) = (numbered_file(1), count.get());
            (0..8).for_each(|_| count.submit(&mut engine, make(&file)));
            while count.get() - before < 8 {
                engine.run(Wait::Never).unwrap();
                thread::yield_now();
            }
            assert_eq!(engine.in_flight(), 0);
        }
    });
}

/// On AIO: some in the kernel's queue, some with the threads, in every proportion.
#[test]
fn a_mixture_of_what_the_driver_can_and_what_is_carried_for_it_is_waited_for_alike() {
    on_every_driver("mixtures", |mut engine, count| {
        let file = numbered_file(1);
        for carried in (0..=8).cycle().take(200) {
            let before = count.get();
            for index in 0..8 {
                let make = if index < carried { allocate } else { read };
                count.submit(&mut engine, make(&file));
            }
            let mut called = 0;
            while called < 8 {
                called += engine.run(Wait::For(8 - called)).unwrap();
            }
            assert_eq!(count.get() - before, 8);
        }
    });
}

#[test]
fn a_ring_before_the_wait_is_not_lost_and_many_rings_are_one() {
    on_every_driver("rings before", |mut engine, _| {
        let waker = engine.waker();
        for rings in [1, 100].into_iter().cycle().take(20) {
            (0..rings).for_each(|_| waker.ring());
            assert_eq!(engine.run(Wait::Until(much_later())).unwrap(), 0);
            let start = Instant::now();
            let moment = start + Duration::from_millis(5);
            assert_eq!(engine.run(Wait::Until(moment)).unwrap(), 0);
            assert!(
                start.elapsed() >= Duration::from_millis(5),
                "rung once more"
            );
        }
    });
}

#[test]
fn a_ring_from_another_thread_ends_the_wait() {
    on_every_driver("rings from outside", |mut engine, _| {
        let waker = engine.waker();
        let (go, gate) = crossbeam_channel::bounded(0);
        let ringing = thread::spawn(move || {
            while gate.recv().is_ok() {
                waker.ring();
            }
        });
        for _ in 0..200 {
            go.send(()).unwrap();
            // The ring comes before, at the beginning of, or in the middle of the sleep.
            assert_eq!(engine.run(Wait::Until(much_later())).unwrap(), 0);
        }
        drop(go);
        ringing.join().unwrap();
    });
}

#[test]
fn a_ring_ends_the_wait_for_an_event_that_does_not_come_and_the_event_stays_inside() {
    for driver in drivers() {
        // For the others a pipe is no file to wait for: AIO blocks in the submission, and `pread`
        // refuses it.
        if driver != Driver::Uring {
            continue;
        }
        within_deadline("a read of an empty pipe", move || {
            let (reader, mut writer) = std::io::pipe().unwrap();
            let reader = Arc::new(std::os::fd::OwnedFd::from(reader));
            let count = Count::default();
            let mut engine = EventLoop::<Count>::new(4, driver).unwrap();
            let buffer = Buffer::from(vec![0; 4]);
            count.submit(&mut engine, IOEvent::new(reader, buffer, IOAction::Read, 0));
            let waker = engine.waker();
            let ringing = thread::spawn(move || waker.ring());
            assert_eq!(engine.run(Wait::For(1)).unwrap(), 0);
            ringing.join().unwrap();
            assert_eq!((engine.in_flight(), count.get()), (1, 0));
            let soon = Instant::now() + Duration::from_millis(5);
            assert_eq!(engine.run(Wait::Until(soon)).unwrap(), 0);
            std::io::Write::write_all(&mut writer, b"here").unwrap();
            assert_eq!(engine.run(Wait::For(1)).unwrap(), 1);
        });
    }
}

#[test]
fn a_ring_after_the_end_of_its_loop_does_nothing() {
    on_every_driver("rings after", |engine, _| {
        let waker = engine.waker();
        drop(engine);
        waker.ring();
        waker.ring();
    });
}

/// Answers that come within the call that sends them, one after the other without an end: the kernel has
/// the answer of a pipe ready meanwhile, and gives it out only when it is asked in another way.
#[test]
fn prompt_answers_keep_no_other_waiting() {
    on_every_driver("prompt", |mut engine, count| {
        if engine.driver() != Driver::Uring {
            // The others cannot wait for a pipe beside other work.
            return;
        }
        let file = numbered_file(1);
        let (reader, writer) = std::io::pipe().unwrap();
        let of_pipe = Count::default();
        let pipe = Arc::new(std::os::fd::OwnedFd::from(reader));
        let waits = IOEvent::new(pipe, Buffer::from(vec![0; 1]), IOAction::Read, 0);
        of_pipe.submit(&mut engine, waits);
        // By then sending alone is known to bring answers.
        for _ in 0..1000 {
            count.submit(&mut engine, read(&file));
            run_for(&mut engine, 1);
        }
        assert_eq!(of_pipe.get(), 0, "nothing was written");
        std::io::Write::write_all(&mut &writer, &[1]).unwrap();
        while of_pipe.get() == 0 {
            count.submit(&mut engine, read(&file));
            run_for(&mut engine, 1);
        }
    });
}
