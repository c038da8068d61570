//! A script is run again and again; each time the next of its requests fails, until none is left.
#![cfg(all(feature = "sim", feature = "merge"))]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use io_engine::callback_worker::Inline;
use io_engine::merge::MergeLimits;
use io_engine::sim::{Fault, Rule, SimDisk, SimFile, for_each_seed};
use io_engine::tasks::{IOAction, IOCallback, IOEvent};
use io_engine::{Buffer, EventLoop, IOContext, Wait};
use watchdog::Watchdog;

mod watchdog;

/// Sends its event back.
struct Reply(SyncSender<IOEvent<Self>>);

impl IOCallback for Reply {
    fn call(self, event: IOEvent<Self>) {
        let tx = self.0.clone();
        tx.send(event).unwrap();
    }
}

/// What one running of the script has come to.
struct Outcome {
    errors: Vec<io::Error>,
    injected: u64,
}

struct Script {
    disk: SimDisk,
    engine: EventLoop<Reply>,
    replies: (SyncSender<IOEvent<Reply>>, Receiver<IOEvent<Reply>>),
    errors: Vec<io::Error>,
}

impl Script {
    fn run(rule: Rule, merges: bool) -> Outcome {
        let disk = SimDisk::new(11);
        disk.inject(rule);
        let mut builder = EventLoop::builder().simulated(&disk).depth(8);
        if merges {
            builder = builder.merge(MergeLimits::default());
        }
        let mut script = Self {
            engine: builder.build().unwrap(),
            disk,
            replies: sync_channel(64),
            errors: Vec::new(),
        };
        let (a, b) = (script.disk.open("a"), script.disk.open_direct("b"));
        script.one_file(a, 700);
        script.one_file(b, 1024);
        assert_eq!(script.engine.in_flight(), 0);
        Outcome {
            errors: script.errors,
            injected: script.disk.injected().total(),
        }
    }

    fn one_file(&mut self, file: SimFile, block: usize) {
        let at = |index: usize| i64::try_from(index * block).unwrap();
        let buffer = |byte: u8| {
            let mut buffer = Buffer::aligned(block).unwrap();
            buffer.fill(byte);
            buffer
        };
        let write =
            |index: u8| IOEvent::new(file, buffer(index), IOAction::Write, at(index.into()));
        let read = |index: u8| IOEvent::new(file, buffer(0xff), IOAction::Read, at(index.into()));
        let mut events = vec![IOEvent::new_no_buf(
            file,
            IOAction::Allocate,
            0,
            4 * block as u64,
        )];
        self.perform(std::mem::take(&mut events));
        let written = self.perform((1..5).map(write).collect());
        self.perform(vec![IOEvent::sync(file)]);
        for (index, found) in (1..5).zip(self.perform((1..5).map(read).collect())) {
            let (Some(_), Some(found)) = (&written[index - 1], found) else {
                continue;
            };
            let byte = u8::try_from(index).unwrap();
            let is_whole = found.len() == block;
            assert!(!is_whole || found.iter().all(|found| *found == byte));
        }
        let zero = IOEvent::new_no_buf(file, IOAction::ZeroRange, at(2), block as u64);
        let zeroed = self.perform(vec![zero, IOEvent::nop()]);
        if let (Some(_), [Some(found)]) = (&zeroed[0], &self.perform(vec![read(2)])[..]) {
            assert!(found.iter().all(|byte| *byte == 0));
        }
        self.perform(vec![IOEvent::data_sync(file)]);
    }

    /// Carries out `events` together; `None` where one has failed, else its buffer, in their order.
    fn perform(&mut self, events: Vec<IOEvent<Reply>>) -> Vec<Option<Vec<u8>>> {
        let offsets: Vec<i64> = events.iter().map(IOEvent::offset).collect();
        for mut event in events {
            event.set_callback(Reply(self.replies.0.clone()));
            self.engine.submit(event).unwrap();
        }
        let mut turns = 0;
        while self.engine.in_flight() > 0 {
            self.engine.run(Wait::For(8)).unwrap();
            turns += 1;
            assert!(turns < 100, "it does not finish");
        }
        let mut finished: Vec<_> = self.replies.1.try_iter().collect();
        assert_eq!(finished.len(), offsets.len(), "each callback once");
        let place = |event: &IOEvent<Reply>| (event.action() == IOAction::Nop, event.offset());
        finished.sort_by_key(place);
        finished
            .into_iter()
            .map(|event| self.look_at(event))
            .collect()
    }

    fn look_at(&mut self, event: IOEvent<Reply>) -> Option<Vec<u8>> {
        if event.action() == IOAction::Write
            && let Err(error) = event.get_write_result()
        {
            self.errors.push(error);
            return None;
        }
        if let Err(error) = event.get_result() {
            if event.action().is_sync() {
                // Else the next sync would fail as well.
                self.engine.acknowledge_sync_failure(event.file().clone());
            }
            self.errors.push(error);
            return None;
        }
        Some(
            event
                .into_buffer()
                .map_or_else(Vec::new, |buffer| buffer.to_vec()),
        )
    }
}

/// Runs the script with the n-th request failing, n = 1, 2, ... until it has fewer; says how many it has.
fn until_it_passes(make: impl Fn(u64) -> Rule, check: impl Fn(&Outcome)) -> u64 {
    let mut most = 0;
    let watchdog = Watchdog::new();
    for merges in [false, true] {
        for n in 1.. {
            watchdog.begins(format_args!("request {n}, {:?}", make(n)));
            let outcome = Script::run(make(n), merges);
            if outcome.injected == 0 {
                assert!(outcome.errors.is_empty());
                most = most.max(n - 1);
                break;
            }
            check(&outcome);
            assert!(n < 1000, "the script does not end");
        }
    }
    most
}

#[test]
fn whichever_request_fails_its_event_alone_ends_with_that_error() {
    for (fault, errno) in [
        (Fault::Io, libc::EIO),
        (Fault::NoSpace, libc::ENOSPC),
        (Fault::Quota, libc::EDQUOT),
        (Fault::Rejected, libc::EFAULT),
    ] {
        let has_the_error = |outcome: &Outcome| {
            let mut errors = outcome.errors.iter();
            assert!(errors.all(|error| error.raw_os_error() == Some(errno)));
        };
        let tried = until_it_passes(
            |n| fault.nth(n),
            |outcome| {
                has_the_error(outcome);
                assert!(outcome.errors.len() <= 1, "{fault:?}: {:?}", outcome.errors);
            },
        );
        assert!(tried >= 20, "the script has {tried} requests");
        until_it_passes(
            |n| fault.from_nth(n),
            |outcome| {
                has_the_error(outcome);
                assert!(!outcome.errors.is_empty(), "{fault:?} went unnoticed");
            },
        );
    }
}

#[test]
fn what_the_engine_gets_over_no_callback_sees() {
    for fault in [
        Fault::Short,
        Fault::Again,
        Fault::Interrupted,
        Fault::Cancelled,
        Fault::Busy,
        Fault::Prefix,
        Fault::Delay,
    ] {
        let unseen = |outcome: &Outcome| {
            assert!(outcome.errors.is_empty(), "{fault:?}: {:?}", outcome.errors);
        };
        assert!(until_it_passes(|n| fault.nth(n), unseen) >= 10, "{fault:?}");
    }
    let unseen = |outcome: &Outcome| assert!(outcome.errors.is_empty(), "{:?}", outcome.errors);
    for fault in [Fault::Prefix, Fault::Delay] {
        until_it_passes(|n| fault.from_nth(n), unseen);
    }
    // A direct file that gives no whole sector, however often it is asked, is given up.
    let buffered = SimDisk::new(0).open("a");
    until_it_passes(|n| Fault::Short.from_nth(n).of_file(buffered), unseen);
}

#[test]
fn a_disk_that_asks_for_ever_to_try_again_is_given_up() {
    for fault in [Fault::Again, Fault::Interrupted, Fault::Busy] {
        for n in [1, 7] {
            let outcome = Script::run(fault.from_nth(n), true);
            let mut errors = outcome.errors.iter();
            assert!(!outcome.errors.is_empty());
            assert!(
                errors.all(|error| error.kind() == io::ErrorKind::TimedOut),
                "{fault:?}"
            );
        }
    }
}

#[test]
fn moving_nothing_is_an_end_or_an_error_and_never_a_loop() {
    until_it_passes(
        |n| Fault::Nothing.from_nth(n),
        |outcome| {
            let mut errors = outcome.errors.iter();
            assert!(errors.all(|error| error.kind() == io::ErrorKind::WriteZero));
        },
    );
}

#[test]
fn a_broken_queue_answers_every_event_that_is_or_comes_inside() {
    for merges in [false, true] {
        for n in 1..20 {
            let disk = SimDisk::new(n);
            disk.inject(Fault::BrokenQueue.nth(n));
            disk.inject(Fault::Delay.one_in(2));
            let file = disk.open("a");
            let mut builder = EventLoop::builder().simulated(&disk).depth(8);
            if merges {
                builder = builder.merge(MergeLimits::default());
            }
            let mut engine = builder.build().unwrap();
            let (tx, rx) = sync_channel(64);
            for index in 0..32 {
                let mut event =
                    IOEvent::new(file, vec![1; 100].into(), IOAction::Write, index * 100);
                event.set_callback(Reply(tx.clone()));
                while let Err(full) = engine.submit(event) {
                    event = full.into_inner();
                    let _ = engine.run(Wait::For(1));
                }
            }
            drop(engine);
            let finished: Vec<_> = rx.try_iter().collect();
            assert_eq!(finished.len(), 32);
            let broken = finished
                .iter()
                .filter(|event| event.get_result().is_err())
                .count();
            assert_eq!(broken > 0, disk.injected().of(Fault::BrokenQueue) > 0);
            assert!(merges || broken > 0);
        }
    }
}

/// Counts and drops its event.
struct Counted {
    called: &'static AtomicUsize,
    failed: &'static AtomicUsize,
}

impl IOCallback for Counted {
    fn call(self, event: IOEvent<Self>) {
        self.called.fetch_add(1, Ordering::SeqCst);
        if event.get_result().is_err() {
            self.failed.fetch_add(1, Ordering::SeqCst);
        }
    }
}

#[test]
fn a_context_with_several_senders_calls_each_callback_once() {
    static CALLED: AtomicUsize = AtomicUsize::new(0);
    static FAILED: AtomicUsize = AtomicUsize::new(0);
    const SENDERS: usize = 3;
    const EACH: usize = 200;
    let mut sent = 0;
    for_each_seed(0..20, |seed| {
        let disk = SimDisk::new(seed);
        for fault in [
            Fault::Short,
            Fault::Io,
            Fault::Again,
            Fault::Delay,
            Fault::Busy,
        ] {
            disk.inject(fault.one_in(8));
        }
        let file = disk.open("a");
        let (tx, rx) = io_engine::channel(32);
        let mut builder = IOContext::builder().simulated(&disk).depth(16);
        if seed % 2 == 0 {
            builder = builder.merge(MergeLimits::default());
        }
        let ctx = builder.build(rx, &Inline).unwrap();
        std::thread::scope(|scope| {
            for sender in 0..SENDERS {
                let tx = tx.clone();
                scope.spawn(move || {
                    for index in 0..EACH {
                        let at = i64::try_from((index * SENDERS + sender) * 64).unwrap();
                        let mut event = IOEvent::new(file, vec![1; 64].into(), IOAction::Write, at);
                        event.set_callback(Counted {
                            called: &CALLED,
                            failed: &FAILED,
                        });
                        tx.send(event).unwrap();
                    }
                });
            }
        });
        ctx.shutdown().unwrap();
        sent += SENDERS * EACH;
        assert_eq!(CALLED.load(Ordering::SeqCst), sent);
        assert!(disk.injected().total() > 0);
    });
    let failed = FAILED.load(Ordering::SeqCst);
    assert!(failed > 0 && failed < sent / 2, "{failed} of {sent}");
}
