//! Sandboxes that forbid what a driver needs: another one is taken, and it is said why.
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::fs::File;
use std::sync::Arc;
use std::thread;

use heard::heard_while;
use io_engine::callback_worker::{IOWorkers, Inline};
use io_engine::tasks::{IOAction, IOEvent};
use io_engine::{Driver, EventLoop, IOContext, StartError};
use machine::child::in_child;
use machine::engine::{Engine, WAYS, Way};
use machine::sandbox::{AIO, URING, forbid};

mod heard;
mod machine;

/// Runs `body` on a thread of its own: filters bind the thread that installs them, and its children.
fn in_a_sandbox(calls: &[libc::c_long], errno: i32, body: impl FnOnce() + Send) {
    thread::scope(|scope| {
        scope.spawn(|| {
            forbid(calls, errno);
            body();
        });
    });
}

/// What `Driver::Auto` has taken, and why, the same for a loop and for a context.
fn choice() -> (Driver, Option<String>) {
    let engine = EventLoop::<()>::new(4, Driver::Auto).unwrap();
    let (_tx, rx) = io_engine::channel::<()>(4);
    let ctx = IOContext::new(4, rx, &Inline, Driver::Auto).unwrap();
    assert_eq!(engine.driver(), ctx.driver());
    assert_eq!(engine.fallback_reason(), ctx.fallback_reason());
    (ctx.driver(), ctx.fallback_reason().map(str::to_owned))
}

fn refused(driver: Driver) -> StartError {
    let from_loop = EventLoop::<()>::new(4, driver).unwrap_err();
    let (_tx, rx) = io_engine::channel::<()>(4);
    let from_context = IOContext::new(4, rx, &IOWorkers::new(1), driver).unwrap_err();
    assert_eq!(from_loop.to_string(), from_context.to_string());
    from_loop
}

/// Writes, reads back, syncs and allocates, in every way.
fn assert_works(driver: Driver) {
    for way in WAYS {
        let mut engine = Engine::new(driver, way, 4);
        let file: Arc<File> = Arc::new(tempfile::tempfile().unwrap());
        let block = |index: u8| i64::from(index) * 700;
        let writes = (0..50).map(|index| {
            let bytes = vec![index; 700].into();
            IOEvent::new(&file, bytes, IOAction::Write, block(index))
        });
        for event in engine.carry_out(writes.collect()) {
            event.get_write_result().unwrap();
        }
        let reads = (0..50).map(|index| {
            let bytes = vec![255; 700].into();
            IOEvent::new(&file, bytes, IOAction::Read, block(index))
        });
        for (index, event) in (0..).zip(engine.carry_out(reads.collect())) {
            assert_eq!(*event.get_read_result().unwrap(), [index; 700]);
        }
        let others = vec![
            IOEvent::sync(&file),
            IOEvent::data_sync(&file),
            IOEvent::new_no_buf(&file, IOAction::Allocate, 0, 100_000),
        ];
        for event in engine.carry_out(others) {
            assert_eq!(event.get_result().unwrap(), 0);
        }
        assert_eq!(file.metadata().unwrap().len(), 100_000);
        engine.finish();
    }
}

fn assert_says_why(text: &str) {
    let sandbox = text.contains("seccomp") && text.contains("container");
    // Where the administrator has forbidden it to all, that is the reason to name.
    let named = sandbox || text.contains("kernel.io_uring_disabled");
    assert!(named, "{text}");
    assert!(text.contains("io_uring"), "{text}");
}

#[test]
fn without_io_uring_auto_takes_aio_and_says_why() {
    in_child("without_io_uring_auto_takes_aio_and_says_why", || {
        let usable = machine::drivers();
        if !usable.contains(&Driver::Uring) || !usable.contains(&Driver::Aio) {
            return; // said aloud by `drivers`
        }
        for errno in [libc::EPERM, libc::ENOSYS] {
            // A sandbox may forbid any of the three; what is found only later would be too late.
            for call in URING {
                in_a_sandbox(&[call], errno, || {
                    let (driver, reason) = choice();
                    assert_eq!(driver, Driver::Aio);
                    let reason = reason.unwrap();
                    assert!(reason.starts_with("io_uring: "), "{reason}");
                    assert!(!reason.contains("AIO: "), "{reason}");
                    if call != libc::SYS_io_uring_register {
                        assert_says_why(&reason);
                        let error = refused(Driver::Uring);
                        assert_eq!(error.raw_os_error(), Some(errno));
                        assert_says_why(&error.to_string());
                        assert!(error.advice().contains("io_uring_enter"), "{error}");
                    }
                    assert_works(Driver::Auto);
                });
            }
        }
    });
}

#[test]
fn without_both_kernel_interfaces_auto_takes_threads_and_names_both_reasons() {
    let name = "without_both_kernel_interfaces_auto_takes_threads_and_names_both_reasons";
    in_child(name, || {
        for errno in [libc::EPERM, libc::ENOSYS] {
            for aio in &AIO[..3] {
                in_a_sandbox(&[URING[0], *aio], errno, || {
                    let (driver, reason) = choice();
                    assert_eq!(driver, Driver::Threads);
                    let reason = reason.unwrap();
                    let (uring, aio) = reason.split_once("; AIO: ").unwrap();
                    assert_says_why(uring);
                    assert!(
                        aio.contains("seccomp") && aio.contains("CONFIG_AIO"),
                        "{aio}"
                    );
                    assert_works(Driver::Auto);
                });
            }
        }
    });
}

#[test]
fn aio_alone_forbidden_is_an_error_for_who_asked_for_it_and_nothing_to_auto() {
    let name = "aio_alone_forbidden_is_an_error_for_who_asked_for_it_and_nothing_to_auto";
    in_child(name, || {
        let (before, _) = choice();
        for errno in [libc::EPERM, libc::ENOSYS] {
            in_a_sandbox(&AIO, errno, || {
                let error = refused(Driver::Aio);
                assert_eq!(error.raw_os_error(), Some(errno));
                assert!(error.to_string().starts_with("io_setup"), "{error}");
                assert!(error.advice().contains("use another driver"), "{error}");
                if before == Driver::Uring {
                    assert_eq!(choice(), (Driver::Uring, None));
                }
                assert_works(Driver::Threads);
            });
        }
    });
}

#[test]
fn the_choice_is_said_once_per_context_and_only_where_there_was_one() {
    in_child(
        "the_choice_is_said_once_per_context_and_only_where_there_was_one",
        || {
            let start_and_use = |driver| {
                let mut engine = Engine::new(driver, Way::Inline, 4);
                let file = Arc::new(tempfile::tempfile().unwrap());
                for _ in 0..10 {
                    engine.one(IOEvent::sync(&file)).get_result().unwrap();
                }
                engine.finish();
            };
            in_a_sandbox(&[URING[0]], libc::EPERM, || {
                for contexts in 1..4 {
                    let said =
                        heard_while(|| (0..contexts).for_each(|_| start_and_use(Driver::Auto)));
                    assert_eq!(said.len(), contexts, "{said:?}");
                    for message in said {
                        assert!(message.is_warning);
                        assert_eq!(message.get("driver"), Some("AIO"));
                        assert_says_why(message.get("reason").unwrap());
                    }
                }
            });
            let (chosen, reason) = choice();
            let said = heard_while(|| start_and_use(Driver::Auto));
            assert_eq!(said.len(), 1, "{said:?}");
            assert_eq!(said[0].get("driver"), Some(chosen.to_string().as_str()));
            assert_eq!(said[0].is_warning, reason.is_some());
            let said = heard_while(|| start_and_use(Driver::Threads));
            assert!(said.is_empty(), "{said:?}");
        },
    );
}
