//! Sandboxes that forbid the system calls, before the start and after it.

mod harness;

use std::io;
use std::thread;

use harness::seccomp::forbid;
use harness::*;
use io_engine_aio::{AioBackend, AioSettings, Backend, IOEvent, Wait};

fn start() -> Result<AioBackend<()>, io_engine_aio::StartError> {
    AioBackend::new(AioSettings::with_depth(8))
}

#[test]
fn a_sandbox_without_aio_is_named_at_the_start() {
    for (call, name) in [
        (libc::SYS_io_setup, "io_setup"),
        (libc::SYS_io_submit, "io_submit"),
        (libc::SYS_io_getevents, "io_getevents"),
    ] {
        for errno in [libc::EPERM, libc::ENOSYS] {
            within_deadline(move || {
                forbid(call, errno);
                let error = start().unwrap_err();
                assert_eq!(error.raw_os_error(), Some(errno));
                let text = error.to_string();
                assert!(text.starts_with(name), "{text}");
                assert!(text.contains("seccomp"), "{text}");
                assert!(text.contains("CONFIG_AIO"), "{text}");
            });
        }
    }
}

#[test]
fn a_sandbox_that_comes_later_gives_every_request_back_with_its_buffer() {
    for errno in [libc::EPERM, libc::ENOSYS] {
        within_deadline(move || {
            let scratch = Scratch::with_blocks(4);
            let mut ring = backend(4);
            (0..4).for_each(|n| push(&mut ring, read_of_block(&scratch.file, n)));
            forbid(libc::SYS_io_submit, errno);
            let mut done = Vec::new();
            let error = ring.drive(Wait::For(4), &mut done).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(errno));
            assert_eq!(ring.in_flight(), 0);
            let events = events_of(&mut done);
            assert_eq!(events.len(), 4);
            for event in events {
                assert_eq!(errno_of(&event), Some(errno));
                assert_eq!(event.into_buffer().unwrap().len(), BLOCK);
            }

            push(&mut ring, IOEvent::sync(&scratch.file));
            ring.drive(Wait::Never, &mut done).unwrap_err();
            assert_eq!(errno_of(&events_of(&mut done)[0]), Some(errno));
        });
    }
}

#[test]
fn what_the_kernel_may_still_have_comes_back_without_its_buffer() {
    within_deadline(|| {
        let scratch = Scratch::with_blocks(4);
        let mut ring = backend(4);
        (0..4).for_each(|n| push(&mut ring, read_of_block(&scratch.file, n)));
        forbid(libc::SYS_io_getevents, libc::ENOSYS);
        let mut done = Vec::new();
        ring.drive(Wait::For(1), &mut done).unwrap_err();
        let events = events_of(&mut done);
        assert_eq!(events.len(), 4);
        for event in events {
            let error = event.get_result().unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
            assert!(event.into_buffer().is_none());
        }
    });
}

#[test]
fn a_queue_that_moves_out_of_the_sandbox_with_nothing_in_flight_works() {
    within_deadline(|| {
        let ring = thread::spawn(|| {
            let ring = backend(1);
            forbid(libc::SYS_io_submit, libc::EPERM);
            ring
        });
        let mut ring = ring.join().unwrap();
        let scratch = Scratch::with_blocks(1);
        assert_is_block(carry_out(&mut ring, read_of_block(&scratch.file, 0)), 0);
    });
}
