//! No allocation per event, once everything has been used.
//!
//! In a program of its own: it counts what the whole process allocates.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam_channel::{Receiver, Sender, bounded};
use io_engine::callback_worker::{CallbackWorker, IOWorkers, Inline};
use io_engine::tasks::{IOAction, IOCallback, IOEvent};
use io_engine::{Buffer, Driver, EventLoop, IOContext, Wait};
use machine::allocator::Counting;
use machine::{DEADLINE, drivers, numbered_file};

mod machine;

#[global_allocator]
static ALLOCATOR: Counting = Counting::new();

const DEPTH: usize = 16;
/// Before it is counted: every queue and every thread has been used to its full by then.
const WARM_UP: usize = 4000;
const COUNTED: usize = 20_000;

/// Where there are threads, one of them may do something for the first time as late as this: the
/// test itself when it begins to wait, for one. Far below one per event.
const STRAY: usize = 10;

/// What one path has done, shared by all its callbacks.
struct Course {
    called: AtomicUsize,
    /// Allocations when the warm-up was over, and when the last event was.
    at: [AtomicUsize; 2],
    over: Sender<()>,
}

impl Course {
    fn new() -> (Arc<Self>, Receiver<()>) {
        let (over, is_over) = bounded(1);
        let course = Self {
            called: AtomicUsize::new(0),
            at: [AtomicUsize::new(0), AtomicUsize::new(0)],
            over,
        };
        (Arc::new(course), is_over)
    }

    /// Counts one callback; false for those after the end.
    fn goes_on(&self) -> bool {
        let called = self.called.fetch_add(1, Ordering::SeqCst) + 1;
        if called == WARM_UP {
            self.at[0].store(ALLOCATOR.made(), Ordering::SeqCst);
        }
        if called == WARM_UP + COUNTED {
            self.at[1].store(ALLOCATOR.made(), Ordering::SeqCst);
            self.over.try_send(()).unwrap();
        }
        called < WARM_UP + COUNTED
    }

    fn allocations(&self) -> usize {
        let [start, end] = &self.at;
        end.load(Ordering::SeqCst) - start.load(Ordering::SeqCst)
    }
}

/// Hands its event over again, with the same buffer, until the course is over.
struct Again {
    course: Arc<Course>,
    /// `None`: by `resubmit`.
    way: Option<Way>,
}

#[derive(Clone)]
enum Way {
    Submitter(io_engine::Submitter<Again>),
    /// To the test, which sends it to the plain channel.
    ToTheTest(Sender<IOEvent<Again>>),
}

impl IOCallback for Again {
    fn call(self, event: IOEvent<Self>) {
        if !self.course.goes_on() {
            return;
        }
        let (file, action) = (event.file().clone(), event.action());
        assert_eq!(event.get_result().unwrap(), 4096);
        let buffer = event.into_buffer().unwrap();
        let way = self.way.clone();
        let mut next = IOEvent::new(file, buffer, action, 0);
        next.set_callback(self);
        match way {
            None => io_engine::resubmit(next).expect("one for one"),
            Some(Way::Submitter(tx)) => tx.send(next).expect("one for one"),
            Some(Way::ToTheTest(tx)) => tx.send(next).expect("the test listens"),
        }
    }
}

/// Reads and writes in turn, as many as can be inside.
fn first_events<'a>(
    file: &'a Arc<File>,
    course: &'a Arc<Course>,
    way: Option<&'a Way>,
) -> impl Iterator<Item = IOEvent<Again>> + 'a {
    (0..DEPTH).map(move |index| {
        let action = [IOAction::Read, IOAction::Write][index % 2];
        let mut event = IOEvent::new(file, Buffer::aligned(4096).unwrap(), action, 0);
        let course = Arc::clone(course);
        let way = way.cloned();
        event.set_callback(Again { course, way });
        event
    })
}

fn in_a_loop(driver: Driver, file: &Arc<File>) -> usize {
    let (course, is_over) = Course::new();
    let mut engine = EventLoop::new(DEPTH, driver).unwrap();
    for event in first_events(file, &course, None) {
        engine.submit(event).unwrap();
    }
    while is_over.is_empty() {
        engine.run(Wait::For(1)).unwrap();
    }
    course.allocations()
}

fn through_the_channel(
    driver: Driver,
    file: &Arc<File>,
    workers: &impl CallbackWorker<Again>,
) -> usize {
    let (course, is_over) = Course::new();
    let (tx, rx) = io_engine::channel(DEPTH);
    let ctx = IOContext::new(DEPTH, rx, workers, driver).unwrap();
    let by_submitter = Way::Submitter(tx.clone());
    // Half of them each way.
    let both = first_events(file, &course, None)
        .take(DEPTH / 2)
        .chain(first_events(file, &course, Some(&by_submitter)).take(DEPTH / 2));
    tx.send_batch(both).unwrap();
    is_over.recv_timeout(DEADLINE).unwrap();
    ctx.shutdown().unwrap();
    course.allocations()
}

fn through_a_plain_channel(driver: Driver, file: &Arc<File>) -> usize {
    let (course, is_over) = Course::new();
    let (tx, rx) = bounded(DEPTH);
    let ctx = IOContext::new(DEPTH, rx, &Inline, driver).unwrap();
    let (back, returned) = bounded(DEPTH);
    let way = Way::ToTheTest(back);
    for event in first_events(file, &course, Some(&way)) {
        tx.send(event).unwrap();
    }
    while is_over.is_empty() {
        crossbeam_channel::select! {
            recv(returned) -> event => tx.send(event.unwrap()).unwrap(),
            recv(is_over) -> _ => break,
            default(DEADLINE) => panic!("a hang: a callback is missing"),
        }
    }
    ctx.shutdown().unwrap();
    course.allocations()
}

#[test]
fn d25_no_way_of_running_the_engine_allocates_per_event_after_warm_up() {
    let file = numbered_file(1);
    for driver in drivers() {
        let found = [
            ("EventLoop", in_a_loop(driver, &file)),
            ("Inline", through_the_channel(driver, &file, &Inline)),
            (
                "IOWorkers",
                through_the_channel(driver, &file, &IOWorkers::new(2)),
            ),
            ("plain channel", through_a_plain_channel(driver, &file)),
        ];
        assert_eq!(found[0].1, 0, "{driver}: on the thread of the caller");
        for (way, allocations) in found {
            assert!(
                allocations < STRAY,
                "{driver}, {way}: {allocations} for {COUNTED}"
            );
        }
    }
}
