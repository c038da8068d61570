//! A sandbox that forbids io_uring after the start: `Driver::Auto` goes on with another driver, and every
//! event gets its callback.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use heard::heard_while;
use io_engine::callback_worker::Inline;
use io_engine::tasks::{IOAction, IOEvent};
use io_engine::{Buffer, Driver, EventLoop, IOContext, Wait};
use machine::child::in_child;
use machine::disk::put_behind_number;
use machine::engine::{Reply, assert_is_block, read_block};
use machine::sandbox::{AIO, URING, forbid, forbid_everywhere, hang};
use machine::{DEADLINE, Enter, Ledger, Outcome, numbered_file, within_deadline};

mod heard;
mod machine;

const BLOCKS: u8 = 64;

fn auto<C: io_engine::tasks::IOCallback>(depth: usize) -> Option<EventLoop<C>> {
    let engine = EventLoop::new(depth, Driver::Auto).unwrap();
    // What does not start is said aloud elsewhere.
    (engine.driver() == Driver::Uring && machine::drivers().contains(&Driver::Aio))
        .then_some(engine)
}

fn block(file: &Arc<File>, ledger: &Ledger, id: u64) -> IOEvent<Enter> {
    let buffer = Buffer::aligned(4096).unwrap();
    let offset = i64::try_from(id % u64::from(BLOCKS)).unwrap() * 4096;
    let mut event = IOEvent::new(file, buffer, IOAction::Read, offset);
    event.set_callback(ledger.callback(id));
    event
}

fn assert_all_good(ledger: &Ledger, ids: impl IntoIterator<Item = u64>) {
    for id in ids {
        let byte = u8::try_from(id % u64::from(BLOCKS)).unwrap();
        assert_eq!(
            ledger.get(id),
            Some(Outcome::Done(4096, Some(byte))),
            "{id}"
        );
    }
}

fn in_children_of(name: &str, body: impl FnOnce() + Send + 'static) {
    in_child(name, || within_deadline("a fallback", body));
}

/// The numbered file, open so that no read of it is answered at once.
fn direct(file: &File) -> Arc<File> {
    let copy = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for number in 0..BLOCKS {
        let mut bytes = [0; 4096];
        file.read_exact_at(&mut bytes, u64::from(number) * 4096)
            .unwrap();
        copy.as_file()
            .write_all_at(&bytes, u64::from(number) * 4096)
            .unwrap();
    }
    copy.as_file().sync_all().unwrap();
    let mut options = File::options();
    let direct = options
        .read(true)
        .custom_flags(libc::O_DIRECT)
        .open(copy.path());
    Arc::new(direct.unwrap_or_else(|_| copy.into_file()))
}

/// Reads before, while and after the calls are forbidden; says which driver it ends with.
fn survives(errno: i32, also: &[libc::c_long], sends_before: bool) -> Option<Driver> {
    let mut engine: EventLoop<Enter> = auto(32)?;
    let (file, ledger) = (direct(&numbered_file(BLOCKS)), Ledger::default());
    for id in 0..32 {
        engine.submit(block(&file, &ledger, id)).unwrap();
    }
    engine.run(Wait::For(32)).unwrap();
    for id in 32..64 {
        engine.submit(block(&file, &ledger, id)).unwrap();
    }
    if sends_before {
        // The kernel has some of them when the ring is forbidden.
        engine.run(Wait::Never).unwrap();
    }
    forbid(&URING[..2], errno);
    forbid(also, errno);
    while engine.in_flight() > 0 {
        engine.run(Wait::For(1)).unwrap();
    }
    for id in 64..640 {
        if engine.submit(block(&file, &ledger, id)).is_err() {
            engine.run(Wait::For(8)).unwrap();
            engine.submit(block(&file, &ledger, id)).unwrap();
        }
    }
    while engine.in_flight() > 0 {
        engine.run(Wait::For(1)).unwrap();
    }
    assert_eq!(ledger.len(), 640);
    assert_all_good(&ledger, 0..640);
    let reason = engine.fallback_reason().unwrap();
    assert!(reason.starts_with("io_uring was forbidden"), "{reason}");
    Some(engine.driver())
}

#[test]
fn a_loop_goes_on_with_aio() {
    in_children_of("a_loop_goes_on_with_aio", || {
        for errno in [libc::EPERM, libc::EACCES, libc::ENOSYS, libc::EOPNOTSUPP] {
            for sends_before in [false, true] {
                // Filters bind the thread that installs them.
                let survived = thread::spawn(move || survives(errno, &[], sends_before));
                if let Some(driver) = survived.join().unwrap() {
                    assert_eq!(driver, Driver::Aio);
                }
            }
        }
    });
}

#[test]
fn without_aio_it_goes_on_with_threads() {
    in_children_of("without_aio_it_goes_on_with_threads", || {
        for sends_before in [false, true] {
            let survived = thread::spawn(move || survives(libc::EPERM, &AIO[..1], sends_before));
            if let Some(driver) = survived.join().unwrap() {
                assert_eq!(driver, Driver::Threads);
            }
        }
    });
}

#[test]
fn a_context_goes_on_while_others_send_and_says_so_once() {
    in_children_of(
        "a_context_goes_on_while_others_send_and_says_so_once",
        || {
            let (file, ledger) = (direct(&numbered_file(BLOCKS)), Ledger::default());
            let (tx, rx) = io_engine::channel(64);
            let ctx = IOContext::new(16, rx, &Inline, Driver::Auto).unwrap();
            if ctx.driver() != Driver::Uring {
                return;
            }
            assert_eq!(ctx.fallback_reason(), None);
            thread::scope(|scope| {
                for part in 0..3 {
                    let (tx, file, ledger) = (tx.clone(), &file, &ledger);
                    scope.spawn(move || {
                        for id in (part..6000).step_by(3) {
                            tx.send(block(file, ledger, id)).unwrap();
                        }
                    });
                }
                ledger.wait_for(1000);
                forbid_everywhere(&URING, libc::EPERM);
            });
            ledger.wait_for(6000);
            assert_ne!(ctx.driver(), Driver::Uring);
            assert!(ctx.fallback_reason().unwrap().contains("forbidden"));
            ctx.shutdown().unwrap();
            assert_all_good(&ledger, 0..6000);
            assert_eq!(ledger.len(), 6000);
        },
    );
}

/// To repeat a sync could hide an error, and to repeat the read of a pipe could lose bytes.
#[test]
fn what_cannot_be_repeated_ends_with_an_error_and_its_buffer() {
    let name = "what_cannot_be_repeated_ends_with_an_error_and_its_buffer";
    in_children_of(name, || {
        let Some(mut engine) = auto(8) else { return };
        let (of_pipe, from_pipe) = crossbeam_channel::bounded(1);
        let (of_file, from_file) = crossbeam_channel::bounded(1);
        let (reader, _writer) = std::io::pipe().unwrap();
        let reader = Arc::new(OwnedFd::from(reader));
        let mut event = IOEvent::new(reader, vec![0; 4].into(), IOAction::Read, 0);
        event.set_callback(Reply::telling(of_pipe));
        engine.submit(event).unwrap();
        engine.run(Wait::Never).unwrap();
        forbid(&URING, libc::EPERM);
        let mut event = read_block(&numbered_file(2), 1);
        event.set_callback(Reply::telling(of_file));
        engine.submit(event).unwrap();
        while engine.in_flight() > 0 {
            engine.run(Wait::For(1)).unwrap();
        }
        assert_is_block(from_file.recv().unwrap().1, 1);
        let (_, event) = from_pipe.recv().unwrap();
        let error = event.get_result().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe, "{error}");
        assert_eq!(event.into_buffer().unwrap().len(), 4);
    });
}

#[test]
fn it_is_said_once() {
    in_child("it_is_said_once", || {
        let Some(mut engine) = auto::<()>(4) else {
            return;
        };
        let file = numbered_file(1);
        let sync = |engine: &mut EventLoop<()>| {
            engine.submit(IOEvent::sync(&file)).unwrap();
            assert_eq!(engine.run(Wait::For(1)).unwrap(), 1);
        };
        sync(&mut engine);
        forbid(&URING, libc::EPERM);
        let said = heard_while(|| (0..5).for_each(|_| sync(&mut engine)));
        let of_drivers = said
            .iter()
            .filter(|message| message.get("driver").is_some());
        let drivers: Vec<_> = of_drivers.map(|message| message.get("driver")).collect();
        assert_eq!(drivers, [Some("AIO")], "{said:?}");
        assert!(said.iter().any(|message| message.is_warning));
    });
}

/// The kernel goes on with the ring, which is mapped still, so there is nothing to wait for.
#[test]
fn a_ring_whose_number_means_another_file_is_left_at_once() {
    in_children_of(
        "a_ring_whose_number_means_another_file_is_left_at_once",
        || {
            let Some(mut engine) = auto(4) else { return };
            let (file, ledger) = (numbered_file(BLOCKS), Ledger::default());
            let (reader, _writer) = std::io::pipe().unwrap();
            let reader = Arc::new(OwnedFd::from(reader));
            let mut hangs = IOEvent::new(reader, vec![0; 8].into(), IOAction::Read, 0);
            hangs.set_callback(ledger.callback(100));
            engine.submit(hangs).unwrap();
            engine.run(Wait::Never).unwrap();
            for entry in std::fs::read_dir("/proc/self/fd").unwrap().flatten() {
                let is_ring = std::fs::read_link(entry.path())
                    .is_ok_and(|target| target.as_os_str() == "anon_inode:[io_uring]");
                if is_ring {
                    let number = entry.file_name().into_string().unwrap();
                    put_behind_number(number.parse().unwrap(), &file);
                }
            }
            engine.submit(block(&file, &ledger, 5)).unwrap();
            let began = Instant::now();
            while engine.in_flight() > 0 {
                engine.run(Wait::For(1)).unwrap();
            }
            assert!(began.elapsed() < DEADLINE / 6, "{:?}", began.elapsed());
            assert_eq!(ledger.len(), 2);
            assert_ne!(engine.driver(), Driver::Uring);
        },
    );
}

/// A read of a file that only a thread can read hangs; says which driver goes on beside it, or `None` where
/// the ring does not start.
fn goes_on_beside_a_call_that_hangs(also: &[libc::c_long]) -> Option<Driver> {
    let mut engine = auto(8)?;
    let (file, ledger) = (direct(&numbered_file(BLOCKS)), Ledger::default());
    // So looks a file whose reads may block, and so they do.
    forbid(&[libc::SYS_preadv2], libc::EOPNOTSUPP);
    let hung = hang(libc::SYS_pread64);
    engine.submit(block(&file, &ledger, 0)).unwrap();
    engine.run(Wait::Never).unwrap();
    forbid(&URING[..2], libc::EPERM);
    forbid(also, libc::EPERM);
    for id in 100..110 {
        let mut sync = IOEvent::sync(&file);
        sync.set_callback(ledger.callback(id));
        engine.submit(sync).unwrap();
        assert_eq!(engine.run(Wait::For(1)).unwrap(), 1);
        assert!(matches!(ledger.get(id), Some(Outcome::Done(0, _))));
    }
    assert_eq!((ledger.len(), engine.in_flight()), (10, 1));
    drop(hung);
    assert_eq!(engine.run(Wait::For(1)).unwrap(), 1);
    assert!(matches!(ledger.get(0), Some(Outcome::Failed(_))));
    Some(engine.driver())
}

#[test]
fn a_call_that_hangs_on_a_thread_does_not_hold_up_aio() {
    in_children_of("a_call_that_hangs_on_a_thread_does_not_hold_up_aio", || {
        if let Some(driver) = goes_on_beside_a_call_that_hangs(&[]) {
            assert_eq!(driver, Driver::Aio);
        }
    });
}

#[test]
fn a_call_that_hangs_on_a_thread_does_not_hold_up_the_others() {
    let name = "a_call_that_hangs_on_a_thread_does_not_hold_up_the_others";
    in_children_of(name, || {
        if let Some(driver) = goes_on_beside_a_call_that_hangs(&AIO[..1]) {
            assert_eq!(driver, Driver::Threads);
        }
    });
}
