//! Ending in time although the device does not answer: on a simulated disk that hangs, and on pipes that
//! nobody writes to.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use io_engine::callback_worker::{CallbackWorker, Inline};
use io_engine::sim::{Fault, SimDisk};
use io_engine::tasks::{IOAction, IOCallback, IOEvent};
use io_engine::{Buffer, EventLoop, FileHandle, IOContext, ShutdownError, Wait};
use watchdog::Watchdog;

mod watchdog;

const LIMIT: Duration = Duration::from_millis(30);
const FAR: Duration = Duration::from_secs(60);

/// Sends its event back.
struct Reply(Sender<IOEvent<Self>>);

impl IOCallback for Reply {
    fn call(self, event: IOEvent<Self>) {
        let tx = self.0.clone();
        let _ = tx.send(event);
    }
}

/// Reads of one file, and their replies.
struct Reads {
    file: FileHandle,
    replies: (Sender<IOEvent<Reply>>, Receiver<IOEvent<Reply>>),
}

impl Reads {
    fn of(file: impl Into<FileHandle>) -> Self {
        Self {
            file: file.into(),
            replies: channel(),
        }
    }

    fn next(&self) -> IOEvent<Reply> {
        let buffer = Buffer::aligned(512).unwrap();
        let mut event = IOEvent::new(self.file.clone(), buffer, IOAction::Read, 0);
        event.set_callback(Reply(self.replies.0.clone()));
        event
    }

    /// How many were answered by the disk, and how many were given up; there are no others.
    fn ends(&self) -> (usize, usize) {
        let (mut good, mut given_up) = (0, 0);
        for event in self.replies.1.try_iter() {
            match event.get_result() {
                Ok(_) => good += 1,
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe, "{error}");
                    given_up += 1;
                }
            }
        }
        (good, given_up)
    }
}

fn hanging_disk(from: u64) -> (SimDisk, Reads) {
    let disk = SimDisk::new(3);
    let file = disk.open("data");
    disk.put(file, &[1; 512]);
    disk.inject(Fault::Hang.from_nth(from));
    (disk, Reads::of(file))
}

fn in_time<T>(act: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let result = act();
    assert!(began.elapsed() < FAR / 2, "{:?}", began.elapsed());
    result
}

fn gives_up_what_hangs(workers: &impl CallbackWorker<Reply>) {
    let watchdog = Watchdog::new();
    watchdog.begins("a shutdown");
    let (disk, reads) = hanging_disk(4);
    let (tx, rx) = io_engine::channel(64);
    let builder = IOContext::builder().simulated(&disk).depth(8);
    let ctx = builder.build(rx, workers).unwrap();
    for _ in 0..20 {
        tx.send(reads.next()).unwrap();
    }
    let ended = in_time(|| ctx.shutdown_timeout(LIMIT));
    let (good, given_up) = reads.ends();
    assert_eq!((good, good + given_up), (3, 20));
    assert_eq!(ended, Err(ShutdownError::StillInFlight(17)));
    assert!(disk.injected().of(Fault::Hang) >= 8);
    assert!(tx.send(reads.next()).is_err(), "it is closed");
}

#[test]
fn what_hangs_is_given_up_with_callbacks_on_the_loops_thread() {
    gives_up_what_hangs(&Inline);
}

#[cfg(feature = "workers")]
#[test]
fn what_hangs_is_given_up_with_callbacks_on_workers() {
    gives_up_what_hangs(&io_engine::callback_worker::IOWorkers::new(2));
}

#[test]
fn a_plain_channel_is_emptied_as_well() {
    let watchdog = Watchdog::new();
    watchdog.begins("a shutdown");
    let (disk, reads) = hanging_disk(1);
    let (tx, rx) = crossbeam_channel::bounded(64);
    let builder = IOContext::builder().simulated(&disk).depth(2);
    let ctx = builder.build(rx, &Inline).unwrap();
    for _ in 0..30 {
        tx.send(reads.next()).unwrap();
    }
    let ended = in_time(|| ctx.shutdown_timeout(LIMIT));
    assert!(matches!(ended, Err(ShutdownError::StillInFlight(_))));
    assert_eq!(reads.ends(), (0, 30));
}

/// What comes out of the plain channel when the loop has given up is given up like the rest.
#[test]
fn all_that_is_given_up_is_counted() {
    let watchdog = Watchdog::new();
    for (depth, hangs_from) in [(1, 1000), (64, 1000), (1, 1), (2, 7)] {
        watchdog.begins("a shutdown");
        let (disk, reads) = hanging_disk(hangs_from);
        let (tx, rx) = crossbeam_channel::bounded(500);
        let builder = IOContext::builder().simulated(&disk).depth(depth);
        for _ in 0..500 {
            tx.send(reads.next()).unwrap();
        }
        let ctx = builder.build(rx, &Inline).unwrap();
        let ended = in_time(|| ctx.shutdown_timeout(Duration::ZERO));
        let (good, given_up) = reads.ends();
        assert_eq!(good + given_up, 500);
        let counted = match ended {
            Ok(()) => 0,
            Err(ShutdownError::StillInFlight(events)) => events,
            Err(error) => panic!("{error}"),
        };
        assert_eq!(counted, given_up);
    }
}

#[test]
fn without_a_hang_it_is_an_ordinary_shutdown() {
    let watchdog = Watchdog::new();
    watchdog.begins("a shutdown");
    let (disk, reads) = hanging_disk(1000);
    let (tx, rx) = io_engine::channel(64);
    let ctx = IOContext::builder()
        .simulated(&disk)
        .build(rx, &Inline)
        .unwrap();
    for _ in 0..40 {
        tx.send(reads.next()).unwrap();
    }
    assert_eq!(in_time(|| ctx.shutdown_timeout(FAR)), Ok(()));
    assert_eq!(reads.ends(), (40, 0));
}

#[test]
fn what_is_answered_before_the_deadline_is_good() {
    let watchdog = Watchdog::new();
    watchdog.begins("a shutdown");
    let (disk, reads) = hanging_disk(1);
    let (tx, rx) = io_engine::channel(64);
    let ctx = IOContext::builder()
        .simulated(&disk)
        .build(rx, &Inline)
        .unwrap();
    for _ in 0..10 {
        tx.send(reads.next()).unwrap();
    }
    let healing = thread::spawn(move || {
        while disk.injected().of(Fault::Hang) < 10 {
            thread::yield_now();
        }
        disk.heal();
    });
    assert_eq!(in_time(|| ctx.shutdown_timeout(FAR)), Ok(()));
    assert_eq!(reads.ends(), (10, 0));
    healing.join().unwrap();
}

#[test]
fn a_loop_on_its_own_ends_in_time_too() {
    let watchdog = Watchdog::new();
    watchdog.begins("a shutdown");
    let (disk, reads) = hanging_disk(3);
    let mut engine = EventLoop::builder().simulated(&disk).build().unwrap();
    for _ in 0..6 {
        engine.submit(reads.next()).unwrap();
    }
    assert_eq!(engine.run(Wait::For(2)).unwrap(), 2);
    let ended = in_time(|| engine.shutdown_timeout(LIMIT));
    assert_eq!(ended, Err(ShutdownError::StillInFlight(4)));
    assert_eq!(reads.ends(), (2, 4));
}

/// A callback that does not return holds up what waits for it, and nothing else.
#[test]
fn a_callback_that_hangs_is_said_to() {
    struct Held(crossbeam_channel::Receiver<()>);
    impl IOCallback for Held {
        fn call(self, _: IOEvent<Self>) {
            let _ = self.0.recv();
        }
    }
    let watchdog = Watchdog::new();
    watchdog.begins("a shutdown");
    let (release, held) = crossbeam_channel::bounded(0);
    let disk = SimDisk::new(1);
    let (tx, rx) = io_engine::channel(8);
    let ctx = IOContext::builder()
        .simulated(&disk)
        .build(rx, &Inline)
        .unwrap();
    let mut event = IOEvent::sync(disk.open("data"));
    event.set_callback(Held(held));
    tx.send(event).unwrap();
    let ended = in_time(|| ctx.shutdown_timeout(LIMIT));
    assert_eq!(ended, Err(ShutdownError::HeldUp));
    assert!(ended.unwrap_err().to_string().contains("callback"));
    drop(release);
}

/// The kernel keeps a read of an empty pipe for ever.
#[cfg(feature = "uring")]
#[test]
fn the_kernel_keeps_what_a_ring_gives_up() {
    let watchdog = Watchdog::new();
    watchdog.begins("a shutdown");
    let (tx, rx) = io_engine::channel(8);
    let builder = IOContext::builder().driver(io_engine::Driver::Uring);
    let ctx = match builder.depth(4).build(rx, &Inline) {
        Ok(ctx) => ctx,
        Err(error) => return println!("skipped: io_uring: {error}"),
    };
    let (reader, mut writer) = io::pipe().unwrap();
    let reads = Reads::of(Arc::new(OwnedFd::from(reader)));
    for _ in 0..3 {
        tx.send(reads.next()).unwrap();
    }
    let ended = in_time(|| ctx.shutdown_timeout(LIMIT));
    assert_eq!(ended, Err(ShutdownError::StillInFlight(3)));
    assert_eq!(reads.ends(), (0, 3));
    // If the kernel still reads, it is into memory that nobody else gets.
    let _ = io::Write::write(&mut writer, &[7; 100]);
}

/// The first of two joined reads has all its bytes when the rest of the run hangs: it is not given up, and
/// gets them.
#[cfg(feature = "merge")]
#[test]
fn what_a_run_had_read_before_it_hung_is_not_given_up() {
    let watchdog = Watchdog::new();
    watchdog.begins("a shutdown");
    // How short the first answer is, the dice say.
    let ends = (0..20).map(|seed| {
        let disk = SimDisk::new(seed);
        let file = disk.open("data");
        disk.put(file, &[1; 1024]);
        disk.inject(Fault::Short.nth(1));
        disk.inject(Fault::Hang.from_nth(2));
        let builder = EventLoop::builder().simulated(&disk);
        let builder = builder.merge(io_engine::merge::MergeLimits::default());
        let mut engine = builder.build().unwrap();
        let reads = Reads::of(file);
        for offset in [0, 512] {
            let mut event = IOEvent::new(file, vec![0; 512].into(), IOAction::Read, offset);
            event.set_callback(Reply(reads.replies.0.clone()));
            engine.submit(event).unwrap();
        }
        engine.run(Wait::Never).unwrap();
        let ended = in_time(|| engine.shutdown_timeout(LIMIT));
        let whole: Vec<_> = reads.replies.1.try_iter().collect();
        let whole = whole.into_iter().filter(|event| event.get_result().is_ok());
        let whole = whole.map(|event| assert_eq!(event.into_buffer().unwrap()[..], [1; 512]));
        let whole = whole.count();
        assert_eq!(ended, Err(ShutdownError::StillInFlight(2 - whole)));
        whole
    });
    let whole: Vec<usize> = ends.collect();
    assert!(whole.contains(&1) && whole.contains(&0), "{whole:?}");
}
