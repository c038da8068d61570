//! A merged request that a real fault ends in its middle: who fails, fails, and nobody else.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use io_engine::callback_worker::Inline;
use io_engine::merge::{MergeBuffer, MergeLimits};
use io_engine::tasks::{IOAction, IOEvent};
use io_engine::{Buffer, Driver, EventLoop, IOContext, ShortTransfers, Wait};
use io_engine_core::conformance::require_or_skip;
use machine::child::in_child;
use machine::disk::Disk;
use machine::engine::{Engine, Reply, WAYS, Way, errno_of};
use machine::sandbox::limit;
use machine::{drivers, within_deadline};

mod machine;

const BLOCK: usize = 4096;
/// Blocks of one run.
const BLOCKS: u64 = 12;
/// In so many, several events are there at once.
const TRIES: usize = 1000;

fn offset(block: u64) -> i64 {
    i64::try_from(block).unwrap() * BLOCK as i64
}

fn write(file: &Arc<File>, block: u64) -> IOEvent<Reply> {
    let mut buffer = Buffer::aligned(BLOCK).unwrap();
    buffer.fill(u8::try_from(block % 200).unwrap() + 1);
    IOEvent::new(file, buffer, IOAction::Write, offset(block))
}

fn read(file: &Arc<File>, block: u64) -> IOEvent<Reply> {
    let buffer = Buffer::aligned(BLOCK).unwrap();
    IOEvent::new(file, buffer, IOAction::Read, offset(block))
}

/// An engine whose next run of `BLOCKS` events is one request: they are there when it looks.
fn engine(driver: Driver, way: Way) -> Engine {
    Engine::merging(driver, way, 64, MergeLimits::default())
}

/// Writes the blocks from `first` on and says how many were good.
fn good_until(engine: &mut Engine, file: &Arc<File>, first: u64, errno: i32, what: &str) -> u64 {
    let events = (first..first + BLOCKS).map(|block| write(file, block));
    let done = engine.carry_out(events.collect());
    good_among(&done, first, errno, what)
}

/// How many of the writes from block `first` on were good: those from the first on, and none behind the
/// first that failed.
fn good_among(done: &[IOEvent<Reply>], first: u64, errno: i32, what: &str) -> u64 {
    let mut good = 0;
    for (block, event) in (0..).zip(done) {
        if event.get_write_result().is_ok() {
            assert_eq!(good, block, "{what}: good behind one that failed");
            good += 1;
        } else {
            assert_eq!(errno_of(event), Some(errno), "{what}: {event:?}");
            let moved = event.transferred();
            assert!(moved == 0 || good == block, "{what}: {event:?}");
        }
        let fill = u8::try_from((first + block) % 200).unwrap() + 1;
        let buffer = event.buffer().expect("it comes back");
        assert!(
            buffer.len() == BLOCK && buffer.iter().all(|byte| *byte == fill),
            "{what}"
        );
    }
    good
}

/// What is written is there, to the byte.
fn assert_blocks(file: &File, blocks: std::ops::Range<u64>, what: &str) {
    for block in blocks {
        let mut found = [0; BLOCK];
        file.read_exact_at(&mut found, offset(block).cast_unsigned())
            .unwrap();
        let fill = u8::try_from(block % 200).unwrap() + 1;
        assert!(
            found.iter().all(|byte| *byte == fill),
            "{what}: block {block}"
        );
    }
}

#[test]
fn of_a_run_that_meets_the_limit_of_file_sizes_only_what_is_beyond_it_fails() {
    // Within the sixth block of a run.
    const LIMIT: u64 = 100 * BLOCK as u64 + 5 * BLOCK as u64 + 1000;
    let name = "of_a_run_that_meets_the_limit_of_file_sizes_only_what_is_beyond_it_fails";
    in_child(name, || {
        limit(libc::RLIMIT_FSIZE, LIMIT);
        for driver in drivers() {
            // A loop runs on the caller's thread, whose signals are the caller's own.
            for way in WAYS.into_iter().filter(|way| *way != Way::Loop) {
                let what = format!("{driver}, {way:?}");
                let disk = Disk::new();
                let file = disk.file("buffered", b"");
                let mut engine = engine(driver, way);
                // How many are there when the loop looks is up to the threads.
                for _ in 0..TRIES {
                    let good = good_until(&mut engine, &file, 100, libc::EFBIG, &what);
                    assert_eq!(good, 5, "{what}");
                    if engine.merge_counters().unwrap().runs > 0 {
                        break;
                    }
                }
                assert_blocks(&file, 100..105, &what);
                assert_eq!(
                    file.metadata().unwrap().len(),
                    LIMIT,
                    "{what}: up to the limit"
                );
                // It goes on as before.
                let good = good_until(&mut engine, &file, 7, libc::EFBIG, &what);
                assert_eq!(good, BLOCKS, "{what}");
                let counters = engine.merge_counters().unwrap();
                assert!(
                    way == Way::Plain || counters.runs > 0,
                    "{what}: {counters:?}"
                );
                engine.finish();
            }
        }
    });
}

/// A file system of its own, gone on drop.
struct Tmpfs<'a>(&'a Path);

impl<'a> Tmpfs<'a> {
    /// `None`, and said aloud, where it may not be mounted.
    fn mount(at: &'a Path, bytes: u64) -> Option<Self> {
        let size = format!("size={bytes}");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(at)
            .output();
        match mount {
            Ok(output) if output.status.success() => Some(Self(at)),
            Ok(output) => {
                let reason = String::from_utf8_lossy(&output.stderr);
                require_or_skip("a small tmpfs", &reason.trim());
                None
            }
            Err(error) => {
                require_or_skip("a small tmpfs", &error);
                None
            }
        }
    }
}

impl Drop for Tmpfs<'_> {
    fn drop(&mut self) {
        // Whatever still has a file open there: it goes with the last of them.
        let unmount = Command::new("umount").arg("-l").arg(self.0).status();
        assert!(unmount.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

#[test]
fn of_a_run_that_fills_its_device_only_what_has_no_room_fails() {
    let folder = tempfile::tempdir().unwrap();
    let room = 7;
    let Some(_tmpfs) = Tmpfs::mount(folder.path(), room * BLOCK as u64) else {
        return;
    };
    for driver in drivers() {
        for way in WAYS {
            let what = format!("{driver}, {way:?}");
            let path = folder.path().join("file");
            let mut open = File::options();
            let open = open.read(true).write(true).create(true);
            let file = Arc::new(open.open(&path).unwrap());
            let mut engine = engine(driver, way);
            let writes = (0..BLOCKS).map(|block| write(&file, block));
            // What a context does not join, as it looked too early, threads carry out in any order.
            let done = if driver == Driver::Threads {
                engine.submit(as_run(writes, &engine));
                engine.collect(12)
            } else {
                engine.carry_out(writes.collect())
            };
            let good = good_among(&done, 0, libc::ENOSPC, &what);
            assert_eq!(good, room, "{what}");
            assert_blocks(&file, 0..room, &what);
            engine.finish();
            std::fs::remove_file(&path).unwrap();
        }
    }
}

/// The events as one request, however the engine joins.
fn as_run(events: impl Iterator<Item = IOEvent<Reply>>, engine: &Engine) -> Vec<IOEvent<Reply>> {
    let mut buffer = MergeBuffer::new(MergeLimits::default());
    for (number, mut event) in events.enumerate() {
        event.set_callback(engine.callback(number));
        buffer.offer(event).unwrap();
    }
    vec![buffer.flush().expect("a run")]
}

/// Inside the loop nothing of a device without places is joined, so the run is made in front of it.
#[test]
fn of_a_run_to_a_device_that_is_always_full_every_event_fails() {
    let full = File::options().read(true).write(true).open("/dev/full");
    let full = Arc::new(full.unwrap());
    for driver in drivers() {
        for way in WAYS {
            let what = format!("{driver}, {way:?}");
            // AIO does not take this device at all, and says so by another number.
            let mut unmerged = Engine::new(driver, way, 16);
            let alone = errno_of(&unmerged.one(write(&full, 0)));
            unmerged.finish();
            let takes_it = alone == Some(libc::ENOSPC);
            assert!(takes_it || driver == Driver::Aio, "{what}: {alone:?}");
            let mut engine = engine(driver, way);
            let good = good_until(&mut engine, &full, 0, alone.unwrap(), &what);
            assert_eq!(good, 0, "{what}");
            let writes = (0..BLOCKS).map(|block| write(&full, block));
            engine.submit(as_run(writes, &engine));
            for event in engine.collect(12) {
                assert_eq!(errno_of(&event), alone, "{what}");
            }
            // Reading, it is a source of zeroes without an end.
            let reads = (0..BLOCKS).map(|block| read(&full, block));
            engine.submit(as_run(reads, &engine));
            for event in engine.collect(12).into_iter().filter(|_| takes_it) {
                let buffer = event.get_read_result().unwrap();
                assert!(buffer.len() == BLOCK && buffer.iter().all(|byte| *byte == 0));
            }
            engine.finish();
        }
    }
}

/// What a caller sees who wants short transfers reported.
fn seen(event: IOEvent<Reply>) -> (i32, bool, bool, Option<usize>) {
    let (res, at_end) = (event.res(), event.is_end_of_file());
    let is_written = event.get_write_result().is_ok();
    let len = event.get_read_result().ok().map(|buffer| buffer.len());
    (res, at_end, is_written, len)
}

#[test]
fn reported_short_transfers_look_as_they_do_unmerged() {
    for driver in drivers() {
        within_deadline("reported short transfers", move || {
            let run = |merges: bool| {
                let (tx, rx) = io_engine::channel(64);
                let builder = IOContext::builder().depth(16).driver(driver);
                let builder = builder.short_transfers(ShortTransfers::Report);
                let context = match merges {
                    true => builder.merge(MergeLimits::default()).build(rx, &Inline),
                    false => builder.build(rx, &Inline),
                };
                let builder = EventLoop::builder().depth(16).driver(driver);
                let builder = builder.short_transfers(ShortTransfers::Report);
                let engine = match merges {
                    true => builder.merge(MergeLimits::default()).build(),
                    false => builder.build(),
                };
                let file = Arc::new(tempfile::tempfile().unwrap());
                file.set_len(3 * BLOCK as u64 + 1000).unwrap();
                let engines = [
                    Engine::of_loop(engine.unwrap()),
                    Engine::of_context(context.unwrap(), tx),
                ];
                engines.map(|mut engine| {
                    let reads = (0..6).map(|block| read(&file, block)).collect();
                    let all: Vec<_> = engine.carry_out(reads).into_iter().map(seen).collect();
                    engine.finish();
                    all
                })
            };
            assert_eq!(run(true), run(false), "{driver}");
        });
    }
}

/// `Wait` counts callbacks: those of a run that fails one by one as well.
#[test]
fn a_loop_that_waits_for_a_run_waits_for_what_is_asked_for_again() {
    for driver in drivers() {
        let full = Arc::new(File::options().write(true).open("/dev/full").unwrap());
        let (reply, replies) = crossbeam_channel::bounded(16);
        let builder = EventLoop::builder().depth(16).driver(driver);
        let mut engine = builder.merge(MergeLimits::default()).build().unwrap();
        for block in 0..10 {
            let mut event = write(&full, block);
            event.set_callback(Reply::telling(reply.clone()));
            engine.submit(event).unwrap();
        }
        assert_eq!(engine.run(Wait::For(10)).unwrap(), 10, "{driver}");
        assert_eq!((replies.len(), engine.in_flight()), (10, 0), "{driver}");
    }
}
