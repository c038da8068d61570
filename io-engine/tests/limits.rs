//! Limits of the process: what cannot start says which limit it was, what runs into one goes on.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};
use io_engine::callback_worker::{IOWorkers, Inline};
use io_engine::tasks::{IOAction, IOEvent};
use io_engine::{Buffer, Driver, EventLoop, IOContext, StartError, Wait};
use machine::child::in_child;
use machine::disk::Disk;
use machine::engine::{Engine, WAYS, Way, errno_of};
use machine::sandbox::{NEW_THREADS, become_user, forbid, limit};
use machine::{DEADLINE, Enter, Ledger, Outcome, drivers, numbered_file};

mod machine;

const ALL: [Driver; 4] = [Driver::Uring, Driver::Aio, Driver::Threads, Driver::Auto];

fn read(file: &Arc<File>, ledger: &Ledger, id: u64) -> IOEvent<Enter> {
    let mut event = IOEvent::new(file, vec![0; 4096].into(), IOAction::Read, 0);
    event.set_callback(ledger.callback(id));
    event
}

/// A context with two events in its queue from the start, on the way that `plain` says.
fn start(
    driver: Driver,
    plain: bool,
    workers: &IOWorkers,
    file: &Arc<File>,
) -> (Ledger, Result<(), StartError>) {
    type Plain = (Sender<IOEvent<Enter>>, Receiver<IOEvent<Enter>>);
    let ledger = Ledger::default();
    let events = [read(file, &ledger, 1), read(file, &ledger, 2)];
    let result = if plain {
        let (tx, rx): Plain = bounded(2);
        events.into_iter().for_each(|event| tx.send(event).unwrap());
        IOContext::new(2, rx, workers, driver).map(drop)
    } else {
        let (tx, rx) = io_engine::channel(2);
        tx.send_batch(events).unwrap();
        IOContext::new(2, rx, workers, driver).map(drop)
    };
    (ledger, result)
}

/// Each of the two has one callback: with the bytes if the context started, else with an error.
fn assert_answered(ledger: &Ledger, result: &Result<(), StartError>) {
    let expected = match result {
        Ok(()) => Outcome::Done(4096, Some(0)),
        Err(_) => Outcome::Failed(ErrorKind::BrokenPipe),
    };
    for id in [1, 2] {
        let outcome = ledger.get(id);
        // Forwarded already when a later thread was refused, it has been carried out.
        let done_before = result.is_err() && outcome == Some(Outcome::Done(4096, Some(0)));
        assert!(
            outcome.as_ref() == Some(&expected) || done_before,
            "{outcome:?} {result:?}"
        );
    }
    assert_eq!(ledger.len(), 2);
}

#[test]
fn without_file_descriptors_nothing_starts_and_the_limit_is_named() {
    in_child(
        "without_file_descriptors_nothing_starts_and_the_limit_is_named",
        || {
            let (file, mut usable) = (numbered_file(1), drivers());
            usable.push(Driver::Auto);
            let workers = IOWorkers::new(1);
            let open = || std::fs::read_dir("/proc/self/fd").unwrap().count();
            let before = open();
            limit(libc::RLIMIT_NOFILE, 64);
            let mut spare: Vec<File> = Vec::new();
            while let Ok(file) = File::open("/dev/null") {
                spare.push(file);
            }
            // With 0, 1, 2, ... descriptors left, until it starts.
            for driver in ALL {
                for left in 0.. {
                    let by_loop = EventLoop::<()>::new(2, driver).map(drop);
                    let (ledger, by_context) = start(driver, left % 2 == 1, &workers, &file);
                    assert_answered(&ledger, &by_context);
                    for error in [&by_loop, &by_context]
                        .into_iter()
                        .filter_map(|one| one.as_ref().err())
                    {
                        let text = error.to_string();
                        assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{text}");
                        assert!(text.contains("RLIMIT_NOFILE"), "{driver}: {text}");
                        assert!(text.contains("ulimit -n"), "{driver}: {text}");
                    }
                    assert!(by_loop.is_err() || left > 0, "{driver} without any");
                    if (by_loop.is_ok() && by_context.is_ok()) || !usable.contains(&driver) {
                        break;
                    }
                    assert!(left < 12, "{driver}: {by_loop:?} {by_context:?}");
                    drop(spare.pop());
                }
                while let Ok(file) = File::open("/dev/null") {
                    spare.push(file);
                }
            }
            drop(spare);
            let deadline = Instant::now() + DEADLINE;
            while open() != before {
                assert!(
                    Instant::now() < deadline,
                    "{} are open, {before} were",
                    open()
                );
                std::thread::yield_now();
            }
        },
    );
}

#[test]
fn without_threads_a_context_is_refused_and_what_is_queued_is_answered() {
    in_child(
        "without_threads_a_context_is_refused_and_what_is_queued_is_answered",
        || {
            let (file, usable) = (numbered_file(1), drivers());
            let workers = IOWorkers::new(1);
            forbid(&NEW_THREADS, libc::EAGAIN);
            for driver in usable {
                for plain in [false, true] {
                    let (ledger, result) = start(driver, plain, &workers, &file);
                    let error = result.as_ref().unwrap_err();
                    assert_eq!(error.raw_os_error(), Some(libc::EAGAIN), "{driver}");
                    assert!(
                        error.to_string().contains("RLIMIT_NPROC"),
                        "{driver}: {error}"
                    );
                    assert_answered(&ledger, &result);
                }
            }
            let error = EventLoop::<()>::new(2, Driver::Threads).unwrap_err();
            assert!(error.to_string().contains("RLIMIT_NPROC"), "{error}");
            assert_eq!(IOWorkers::new(3).thread_count(), 0);
        },
    );
}

#[test]
fn without_threads_a_loop_on_a_kernel_interface_works_with_fallocate_too() {
    let name = "without_threads_a_loop_on_a_kernel_interface_works_with_fallocate_too";
    in_child(name, || {
        let usable = drivers();
        forbid(&NEW_THREADS, libc::EAGAIN);
        for driver in usable {
            if driver == Driver::Threads {
                continue;
            }
            let mut engine = EventLoop::<Enter>::new(4, driver).unwrap();
            let (file, ledger) = (numbered_file(1), Ledger::default());
            let mut allocate = IOEvent::new_no_buf(&file, IOAction::Allocate, 0, 8192);
            allocate.set_callback(ledger.callback(0));
            engine.submit(allocate).unwrap();
            engine.submit(read(&file, &ledger, 1)).unwrap();
            let deadline = Instant::now() + DEADLINE;
            while engine.in_flight() > 0 {
                engine.run(Wait::For(2)).unwrap();
                assert!(Instant::now() < deadline, "{driver}: a hang");
            }
            assert_eq!(
                ledger.get(1),
                Some(Outcome::Done(4096, Some(0))),
                "{driver}"
            );
            let allocated = ledger.get(0).unwrap();
            assert_eq!(allocated, Outcome::Done(0, None), "{driver}");
        }
    });
}

/// The n-th thread is refused, for every n until all start.
#[test]
fn whichever_thread_is_refused_nothing_is_lost_and_nothing_stays() {
    in_child(
        "whichever_thread_is_refused_nothing_is_lost_and_nothing_stays",
        || {
            let file = numbered_file(1);
            let threads = || std::fs::read_dir("/proc/self/task").unwrap().count();
            if !become_user(61_234) {
                return io_engine_core::conformance::require_or_skip("user", &"not root here");
            }
            // What the user may do: io_uring may be forbidden to all but root.
            let (usable, at_first) = (drivers(), threads());
            let mut refused = 0;
            for driver in usable {
                for allowed in 0..12 {
                    limit(libc::RLIMIT_NPROC, (at_first + allowed) as u64);
                    let workers = IOWorkers::new(2);
                    for plain in [false, true] {
                        let (ledger, result) = start(driver, plain, &workers, &file);
                        if let Err(error) = &result {
                            refused += 1;
                            assert_eq!(error.raw_os_error(), Some(libc::EAGAIN), "{error}");
                            assert!(error.to_string().contains("RLIMIT_NPROC"), "{error}");
                        }
                        assert_answered(&ledger, &result);
                    }
                    drop(workers);
                    let deadline = Instant::now() + DEADLINE;
                    while threads() != at_first {
                        assert!(Instant::now() < deadline, "{driver}: threads stay");
                        std::thread::yield_now();
                    }
                }
            }
            assert!(refused > 6, "the limit has refused {refused} only");
        },
    );
}

#[test]
fn a_write_beyond_the_limit_of_file_sizes_is_an_error_and_not_the_end() {
    const LIMIT: u64 = 1 << 20;
    in_child(
        "a_write_beyond_the_limit_of_file_sizes_is_an_error_and_not_the_end",
        || {
            limit(libc::RLIMIT_FSIZE, LIMIT);
            for driver in drivers() {
                // A loop runs on the caller's thread, whose signals are the caller's own.
                for way in WAYS.into_iter().filter(|way| *way != Way::Loop) {
                    let mut engine = Engine::new(driver, way, 4);
                    let disk = Disk::new();
                    let buffered = disk.file("buffered", b"");
                    disk.file("direct", b"");
                    let direct = disk.direct("direct").map(|(file, _)| file);
                    for file in [Some(buffered), direct].into_iter().flatten() {
                        let write = |offset: u64| {
                            let buffer = Buffer::aligned(8192).unwrap();
                            IOEvent::new(&file, buffer, IOAction::Write, offset.cast_signed())
                        };
                        let done = engine.carry_out(vec![write(LIMIT), write(0), write(2 * LIMIT)]);
                        assert_eq!(errno_of(&done[0]), Some(libc::EFBIG), "{driver} {way:?}");
                        done[1].get_write_result().unwrap();
                        assert_eq!(errno_of(&done[2]), Some(libc::EFBIG), "{driver} {way:?}");
                        // Up to the limit, and the error with what had been written by then.
                        let across = engine.one(write(LIMIT - 4096));
                        assert_eq!(errno_of(&across), Some(libc::EFBIG), "{driver} {way:?}");
                        assert_eq!(across.transferred(), 4096, "{driver} {way:?}");
                        assert_eq!(file.metadata().unwrap().size(), LIMIT);
                    }
                    engine.finish();
                }
            }
        },
    );
}

#[test]
fn d1_a_write_that_a_limit_cut_short_goes_on_with_the_rest_when_it_is_handed_over_again() {
    const LIMIT: u64 = 1 << 20;
    let name =
        "d1_a_write_that_a_limit_cut_short_goes_on_with_the_rest_when_it_is_handed_over_again";
    in_child(name, || {
        for driver in drivers() {
            limit(libc::RLIMIT_FSIZE, LIMIT);
            let (tx, rx) = io_engine::channel(4);
            let ctx = IOContext::builder()
                .driver(driver)
                .short_transfers(io_engine::ShortTransfers::Report)
                .build(rx, &Inline);
            let mut engine = Engine::of_context(ctx.unwrap(), tx);
            let disk = Disk::new();
            let file = disk.file("file", b"");
            let bytes: Vec<u8> = (0..=250).cycle().take(10_000).collect();
            let offset = LIMIT.cast_signed() - 3000;
            let write = IOEvent::new(&file, bytes.clone().into(), IOAction::Write, offset);
            let event = engine.one(write);
            assert_eq!(event.get_result().unwrap(), 3000, "{driver}");
            let short = event.get_write_result().unwrap_err();
            assert_eq!(short.kind(), ErrorKind::WriteZero);
            limit(libc::RLIMIT_FSIZE, 4 * LIMIT);
            let event = engine.one(event);
            event.get_write_result().unwrap();
            let written = std::fs::read(disk.path("file")).unwrap();
            assert!(
                written[usize::try_from(offset).unwrap()..] == bytes,
                "{driver}"
            );
            engine.finish();
        }
    });
}
