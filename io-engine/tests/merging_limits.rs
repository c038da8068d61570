//! How far merging goes: the limits of the device and of the caller, and that it waits for nothing.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use io_engine::callback_worker::Inline;
use io_engine::merge::{MergeCounters, MergeLimits};
use io_engine::tasks::{ClosureCb, IOAction, IOEvent};
use io_engine::{Buffer, Driver, EventLoop, FileHandle, IOContext, Wait};
use io_engine_core::conformance::require_or_skip;
use machine::disk::{Disk, put_behind};
use machine::engine::{Engine, WAYS, Way, read_block};
use machine::{drivers, numbered_file};

mod machine;

const BLOCK: usize = 4096;

fn write<C: io_engine::tasks::IOCallback>(file: impl Into<FileHandle>, block: usize) -> IOEvent<C> {
    let buffer = Buffer::aligned(BLOCK).unwrap();
    let offset = i64::try_from(block * BLOCK).unwrap();
    IOEvent::new(file, buffer, IOAction::Write, offset)
}

/// What becomes of these writes in one batch.
fn merged(driver: Driver, limits: MergeLimits, events: Vec<IOEvent<()>>) -> MergeCounters {
    let builder = EventLoop::builder().depth(events.len()).driver(driver);
    let mut engine = builder.merge(limits).build().unwrap();
    let count = events.len();
    for event in events {
        engine.submit(event).unwrap();
    }
    assert_eq!(engine.run(Wait::For(count)).unwrap(), count);
    engine.merge_counters().unwrap()
}

fn blocks(file: &Arc<File>, count: usize) -> Vec<IOEvent<()>> {
    (0..count).map(|block| write(file, block)).collect()
}

/// As sysfs has it, asked for in another way than the engine does.
fn queue_limit(file: &File, name: &str) -> Option<usize> {
    let device = file.metadata().unwrap().dev();
    let (major, minor) = (libc::major(device), libc::minor(device));
    let link = std::fs::canonicalize(format!("/sys/dev/block/{major}:{minor}")).ok()?;
    // The folder of a partition is below that of its device.
    let queue = [&*link, link.parent()?].map(|folder| folder.join("queue").join(name));
    let text = queue
        .iter()
        .find_map(|path| std::fs::read_to_string(path).ok());
    text?.trim().parse().ok()
}

#[test]
fn no_request_is_larger_than_the_device_of_the_file_takes() {
    const COUNT: usize = 3000;
    let disk = Disk::new();
    let file = disk.file("file", b"");
    let kib = queue_limit(&file, "max_sectors_kb");
    let segments = queue_limit(&file, "max_segments");
    let (Some(kib), Some(segments)) = (kib, segments) else {
        return require_or_skip("device limits", &"the file system is on no block device");
    };
    for driver in drivers() {
        let most = MergeLimits::from(usize::MAX);
        let counters = merged(driver, most, blocks(&file, COUNT));
        let in_one = (kib * 1024 / BLOCK)
            .min(segments)
            .min(io_engine::SEGMENTS_MAX);
        let least = COUNT.div_ceil(in_one) as u64;
        assert_eq!(
            counters.requests, least,
            "{driver}: {in_one} of {COUNT} in one"
        );
        assert_eq!(counters.ended_at_limit, least - 1);
    }
}

#[test]
fn no_request_is_larger_than_the_caller_wants() {
    const COUNT: usize = 300;
    let disk = Disk::new();
    let file = disk.file("file", b"");
    for driver in drivers() {
        let requests = |limits| merged(driver, limits, blocks(&file, COUNT)).requests;
        assert_eq!(
            requests(MergeLimits::from(10_000)),
            150,
            "{driver}: two each"
        );
        assert_eq!(
            requests(MergeLimits::from(BLOCK)),
            300,
            "{driver}: one each"
        );
        // Longer than the limit on its own, an event is not cut.
        assert_eq!(requests(MergeLimits::from(1)), 300, "{driver}: one each");
        let three = MergeLimits::default().with_events_max(3);
        assert_eq!(requests(three), 100, "{driver}: three each");
        assert_eq!(
            requests(three.with_events_max(1)),
            300,
            "{driver}: one each"
        );
        assert_eq!(
            requests(three.with_bytes_max(2 * BLOCK)),
            150,
            "{driver}: the smaller"
        );
    }
}

#[test]
fn files_that_are_not_one_and_those_without_places_are_not_joined() {
    let disk = Disk::new();
    disk.file("file", b"");
    let open = |flags| disk.open("file", flags);
    let (one, other, appending) = (open(0), open(0), open(libc::O_APPEND));
    for driver in drivers() {
        let alternating = (0..40).map(|block| write([&one, &other][block % 2], block));
        let counters = merged(driver, MergeLimits::default(), alternating.collect());
        assert_eq!(counters.requests, 40, "{driver}: two descriptors");
        let appends = merged(driver, MergeLimits::default(), blocks(&appending, 40));
        assert_eq!(
            (appends.requests, appends.runs),
            (40, 0),
            "{driver}: O_APPEND"
        );
        // A number of its own and a number that owns are the same number.
        let by_number = |block| match block % 2 {
            0 => write(&one, block),
            _ => write(one.as_raw_fd(), block),
        };
        let counters = merged(
            driver,
            MergeLimits::default(),
            (0..40).map(by_number).collect(),
        );
        assert_eq!(counters.requests, 1, "{driver}: one descriptor");
    }
}

#[test]
fn a_lone_event_is_sent_by_the_next_run_and_not_kept_for_others() {
    for driver in drivers() {
        let file = numbered_file(4);
        let builder = EventLoop::<()>::builder().depth(8).driver(driver);
        let mut engine = builder.merge(MergeLimits::default()).build().unwrap();
        for number in 1..50 {
            engine.submit(write(&file, 0)).unwrap();
            let mut called = engine.run(Wait::Never).unwrap();
            let counters = engine.merge_counters().unwrap();
            assert_eq!(
                (counters.events, counters.requests),
                (number, number),
                "{driver}"
            );
            while called == 0 {
                called = engine.run(Wait::For(1)).unwrap();
            }
        }
    }
}

#[test]
fn a_lone_event_on_an_idle_context_is_answered_at_once() {
    for driver in drivers() {
        for way in WAYS.into_iter().filter(|way| *way != Way::Loop) {
            let file = numbered_file(4);
            let mut engine = Engine::merging(driver, way, 64, MergeLimits::default());
            let mut fastest = Duration::MAX;
            for _ in 0..50 {
                let begin = Instant::now();
                engine.one(read_block(&file, 3)).get_result().unwrap();
                fastest = fastest.min(begin.elapsed());
            }
            // On a busy machine others are slower; a timer would hold up each of them.
            assert!(
                fastest < Duration::from_millis(1),
                "{driver}, {way:?}: {fastest:?}"
            );
            let counters = engine.merge_counters().unwrap();
            assert_eq!((counters.events, counters.requests), (50, 50));
            engine.finish();
        }
    }
}

/// The depth is that of requests, and a single one can hold all that waits.
#[test]
fn whatever_waits_is_joined_even_where_there_is_room_for_one_request_only() {
    for driver in drivers() {
        let (tx, rx) = io_engine::channel(128);
        let builder = IOContext::builder().depth(1).driver(driver);
        let ctx = builder.merge(MergeLimits::default()).build(rx, &Inline);
        let ctx = ctx.unwrap();
        let barrier = Arc::new(Barrier::new(2));
        let stopper = Arc::clone(&barrier);
        let mut nop = IOEvent::nop();
        nop.set_callback(ClosureCb::new(move |_| {
            stopper.wait();
            stopper.wait();
        }));
        tx.send(nop).unwrap();
        barrier.wait();
        let file = Arc::new(tempfile::tempfile().unwrap());
        tx.send_batch((0..100).map(|block| write(&file, block)))
            .unwrap();
        barrier.wait();
        let mut last = write(&file, 1000);
        let (tell, told) = crossbeam_channel::bounded(1);
        last.set_callback(ClosureCb::new(move |_| tell.send(()).unwrap()));
        tx.send(last).unwrap();
        told.recv_timeout(machine::DEADLINE).unwrap();
        let counters = ctx.merge_counters().unwrap();
        assert!(counters.requests <= 4, "{driver}: {counters:?}");
        ctx.shutdown().unwrap();
        assert_eq!(file.metadata().unwrap().len(), 1001 * BLOCK as u64);
    }
}

/// Reads of the same place are the same bytes in a file, and are not in a pipe.
#[test]
fn a_number_that_was_a_file_and_is_a_pipe_is_read_as_a_pipe() {
    for driver in drivers()
        .into_iter()
        .filter(|driver| *driver != Driver::Threads)
    {
        let (reads, mut writes) = std::io::pipe().unwrap();
        let reads = File::from(OwnedFd::from(reads));
        let number = OwnedFd::from(numbered_file(1).try_clone().unwrap());
        let fd = number.as_raw_fd();
        let builder = EventLoop::builder().depth(8).driver(driver);
        let limits = MergeLimits::default().sharing_reads();
        let mut engine = Engine::of_loop(builder.merge(limits).build().unwrap());
        let read = || IOEvent::new(fd, vec![0; 3].into(), IOAction::Read, 0);
        engine.carry_out(vec![read(), read()]);
        let shared = engine.merge_counters().unwrap().shared_reads;
        assert_eq!(shared, 1, "{driver}: it is a file");

        put_behind(&number, &reads);
        writes.write_all(b"onetwo").unwrap();
        let done = engine.carry_out(vec![read(), read()]);
        let bytes = done
            .into_iter()
            .map(|event| event.get_read_result().unwrap());
        let bytes: BTreeSet<Vec<u8>> = bytes.map(Buffer::into_vec).collect();
        let both = [b"one".to_vec(), b"two".to_vec()];
        assert_eq!(bytes, BTreeSet::from(both), "{driver}");
        assert_eq!(engine.merge_counters().unwrap().shared_reads, shared);
    }
}
