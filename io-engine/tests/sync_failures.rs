//! A sync that failed is told again until its failure is acknowledged.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::io;
use std::sync::mpsc::{SyncSender, sync_channel};

use io_engine::callback_worker::{CallbackWorker, Inline};
use io_engine::sim::{Fault, SimDisk, SimFile};
use io_engine::tasks::{IOAction, IOCallback, IOEvent};
use io_engine::{EventLoop, FileHandle, IOContext, ShortTransfers, Submitter, Wait};

/// Sends the result of its event.
struct Told(SyncSender<io::Result<usize>>);

impl IOCallback for Told {
    fn call(self, event: IOEvent<Self>) {
        self.0.send(event.get_result()).unwrap();
    }
}

fn event_of(file: impl Into<FileHandle>, action: IOAction) -> (IOEvent<Told>, Answer) {
    let (tx, rx) = sync_channel(1);
    let mut event = IOEvent::new_no_buf(file, action, 0, 512);
    event.set_callback(Told(tx));
    (event, Answer(rx))
}

struct Answer(std::sync::mpsc::Receiver<io::Result<usize>>);

impl Answer {
    fn errno(self) -> Option<i32> {
        let result = self.0.recv().unwrap();
        result.err().map(|error| error.raw_os_error().unwrap())
    }
}

fn on_loop(
    engine: &mut EventLoop<Told>,
    file: impl Into<FileHandle>,
    action: IOAction,
) -> Option<i32> {
    let (event, answer) = event_of(file, action);
    engine.submit(event).unwrap();
    engine.run(Wait::For(1)).unwrap();
    answer.errno()
}

fn failing_disk(errno: Fault, action: IOAction) -> (SimDisk, SimFile, SimFile) {
    let disk = SimDisk::new(1);
    let (log, other) = (disk.open("log"), disk.open("other"));
    disk.inject(errno.nth(1).on(action).of_file(log));
    (disk, log, other)
}

const BOTH_SYNCS: [IOAction; 2] = [IOAction::Sync, IOAction::DataSync];
const BOTH_WAYS: [ShortTransfers; 2] = [ShortTransfers::Resume, ShortTransfers::Report];

#[test]
fn every_later_sync_fails_as_the_first_did_until_it_is_acknowledged() {
    for action in BOTH_SYNCS {
        for short_transfers in BOTH_WAYS {
            let (disk, log, other) = failing_disk(Fault::NoSpace, action);
            let builder = EventLoop::builder().simulated(&disk);
            let mut engine = builder.short_transfers(short_transfers).build().unwrap();
            assert!(engine.acknowledge_sync_failure(log).is_none());

            assert_eq!(on_loop(&mut engine, log, action), Some(libc::ENOSPC));
            for again in BOTH_SYNCS {
                assert_eq!(on_loop(&mut engine, log, again), Some(libc::ENOSPC));
                assert_eq!(on_loop(&mut engine, other, again), None);
            }
            assert_eq!(disk.injected().total(), 1, "the disk itself fails once");

            assert!(engine.acknowledge_sync_failure(other).is_none());
            let told = engine.acknowledge_sync_failure(log).unwrap();
            assert_eq!(told.raw_os_error(), Some(libc::ENOSPC));
            assert!(engine.acknowledge_sync_failure(log).is_none());
            for again in BOTH_SYNCS {
                assert_eq!(on_loop(&mut engine, log, again), None);
            }
        }
    }
}

#[test]
fn what_is_no_sync_goes_on_after_a_failure() {
    let (disk, log, _) = failing_disk(Fault::Io, IOAction::Sync);
    let mut engine = EventLoop::builder().simulated(&disk).build().unwrap();
    assert_eq!(on_loop(&mut engine, log, IOAction::Sync), Some(libc::EIO));
    assert_eq!(on_loop(&mut engine, log, IOAction::Allocate), None);
    assert_eq!(on_loop(&mut engine, log, IOAction::Nop), None);
}

#[test]
fn errors_that_say_nothing_about_bytes_do_not_stick() {
    let disk = SimDisk::new(1);
    let log = disk.open("log");
    disk.inject(Fault::Cancelled.from_nth(1));
    let mut engine = EventLoop::builder().simulated(&disk).build().unwrap();
    let first = on_loop(&mut engine, log, IOAction::Sync);
    assert_eq!(first, Some(libc::ECANCELED));
    disk.heal();
    assert_eq!(on_loop(&mut engine, log, IOAction::Sync), None);
    assert_eq!(on_loop(&mut engine, -1, IOAction::Sync), Some(libc::EBADF));
    assert!(engine.acknowledge_sync_failure(-1).is_none());
}

#[test]
fn what_fails_of_an_allocation_or_a_write_does_not_poison_syncs() {
    let (disk, log, _) = failing_disk(Fault::NoSpace, IOAction::Allocate);
    let mut engine = EventLoop::builder().simulated(&disk).build().unwrap();
    let failed = on_loop(&mut engine, log, IOAction::Allocate);
    assert_eq!(failed, Some(libc::ENOSPC));
    assert_eq!(on_loop(&mut engine, log, IOAction::Sync), None);
}

fn sync_through(tx: &Submitter<Told>, file: SimFile) -> Option<i32> {
    let (event, answer) = event_of(file, IOAction::DataSync);
    tx.send(event).unwrap();
    answer.errno()
}

fn sticks_in_a_context(workers: &impl CallbackWorker<Told>) {
    let (disk, log, other) = failing_disk(Fault::Quota, IOAction::DataSync);
    let (tx, rx) = io_engine::channel(8);
    let builder = IOContext::builder().simulated(&disk);
    let ctx = builder.build(rx, workers).unwrap();
    assert_eq!(sync_through(&tx, log), Some(libc::EDQUOT));
    assert_eq!(sync_through(&tx, log), Some(libc::EDQUOT));
    assert_eq!(sync_through(&tx, other), None);
    let told = ctx.acknowledge_sync_failure(log).unwrap();
    assert_eq!(told.raw_os_error(), Some(libc::EDQUOT));
    assert_eq!(sync_through(&tx, log), None);
    ctx.shutdown().unwrap();
}

#[test]
fn it_sticks_in_a_context_with_callbacks_on_its_thread() {
    sticks_in_a_context(&Inline);
}

#[cfg(feature = "workers")]
#[test]
fn it_sticks_in_a_context_with_callbacks_on_workers() {
    sticks_in_a_context(&io_engine::callback_worker::IOWorkers::new(1));
}

#[test]
fn each_loop_remembers_for_itself() {
    let (disk, log, _) = failing_disk(Fault::Io, IOAction::Sync);
    let mut engine = EventLoop::builder().simulated(&disk).build().unwrap();
    assert_eq!(on_loop(&mut engine, log, IOAction::Sync), Some(libc::EIO));
    let mut other = EventLoop::builder().simulated(&disk).build().unwrap();
    assert_eq!(on_loop(&mut other, log, IOAction::Sync), None);
}
