//! What is particular to the ring: its bounds, its thread, its end.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use io_engine_core::conformance::require_or_skip;
use io_engine_uring::{
    Backend, Buffer, Completion, DEPTH_MAX, Full, IOAction, IOEvent, Request, UringBackend,
    UringSettings, Wait,
};

/// The ring, or `None` where this machine has none.
fn ring(depth: usize) -> Option<UringBackend<()>> {
    match UringBackend::new(UringSettings::with_depth(depth)) {
        Ok(ring) => Some(ring),
        Err(reason) => {
            require_or_skip("uring", &reason);
            None
        }
    }
}

fn read(file: &Arc<File>, block: usize) -> Request<()> {
    let buffer = Buffer::aligned(4096).expect("memory");
    let offset = i64::try_from(block % 16 * 4096).expect("a small file");
    Request::from(IOEvent::new(file, buffer, IOAction::Read, offset))
}

fn file() -> Arc<File> {
    let file = tempfile::tempfile().expect("a temporary file");
    file.set_len(16 * 4096).expect("room for a hole");
    Arc::new(file)
}

fn finish(done: &mut Vec<Completion<()>>) -> usize {
    let mut finished = Vec::new();
    done.drain(..)
        .for_each(|completion| completion.report(&mut finished));
    assert!(finished.iter().all(|event| event.get_result().is_ok()));
    finished.len()
}

#[test]
fn d15_d16_more_pushes_than_the_queue_holds_are_refused_and_the_ring_goes_on() {
    let (Some(mut ring), file) = (ring(3), file()) else {
        return;
    };
    let mut done = Vec::new();
    let mut finished = 0;
    for round in 0..1000 {
        loop {
            match ring.push(read(&file, round)) {
                Ok(()) => {}
                Err(Full(request)) => break drop(request),
            }
        }
        assert_eq!(ring.in_flight(), 3);
        ring.drive(Wait::For(1), &mut done).unwrap();
        finished += finish(&mut done);
    }
    while ring.in_flight() > 0 {
        ring.drive(Wait::For(1), &mut done).unwrap();
        finished += finish(&mut done);
    }
    assert!(finished >= 1000);
}

#[test]
fn d17_the_depth_bounds_what_is_in_flight_so_no_completion_queue_overflows() {
    let Some(mut ring) = ring(DEPTH_MAX) else {
        return;
    };
    let (file, mut done) = (file(), Vec::new());
    for block in 0..DEPTH_MAX {
        let buffer = Buffer::from(vec![0; 1]);
        let offset = i64::try_from(block % 4096).unwrap();
        ring.push(Request::from(IOEvent::new(
            &file,
            buffer,
            IOAction::Read,
            offset,
        )))
        .unwrap();
    }
    assert!(ring.push(read(&file, 0)).is_err());
    let mut finished = 0;
    while ring.in_flight() > 0 {
        ring.drive(Wait::For(DEPTH_MAX), &mut done).unwrap();
        finished += finish(&mut done);
    }
    assert_eq!(finished, DEPTH_MAX);
}

#[test]
fn a_depth_out_of_range_is_refused_before_the_kernel_sees_it() {
    for depth in [0, DEPTH_MAX + 1, usize::MAX] {
        let error = UringBackend::<()>::new(UringSettings::with_depth(depth)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(&depth.to_string()), "{error}");
        assert!(
            error.to_string().contains(&DEPTH_MAX.to_string()),
            "{error}"
        );
    }
}

#[test]
fn an_idle_ring_moves_to_another_thread_with_what_was_pushed() {
    let (Some(mut ring), file) = (ring(4), file()) else {
        return;
    };
    let mut done = Vec::new();
    // Driven here with a sleep, so that the ring and an armed doorbell belong to this thread.
    ring.push(read(&file, 0)).unwrap();
    ring.drive(Wait::For(1), &mut done).unwrap();
    ring.drive(
        Wait::Until(Instant::now() + Duration::from_millis(1)),
        &mut done,
    )
    .unwrap();
    assert_eq!(finish(&mut done), 1);

    ring.push(read(&file, 1)).unwrap();
    ring.push(read(&file, 2)).unwrap();
    let mut ring = std::thread::spawn(move || {
        ring.drive(Wait::For(2), &mut done).unwrap();
        assert_eq!(finish(&mut done), 2);
        ring
    })
    .join()
    .unwrap();

    let waker = ring.waker();
    let ringing = std::thread::spawn(move || waker.ring());
    let mut done = Vec::new();
    ring.drive(
        Wait::Until(Instant::now() + Duration::from_secs(30)),
        &mut done,
    )
    .unwrap();
    ringing.join().unwrap();
    assert!(done.is_empty(), "woken by the doorbell of the new ring");
}

/// A pipe is the one file that keeps a request in flight for as long as a test likes.
#[test]
fn d24_a_ring_belongs_to_one_thread_and_refuses_another_without_losing_anything() {
    let Some(mut ring) = ring(4) else { return };
    let (reader, writer) = std::io::pipe().unwrap();
    let fd = reader.as_raw_fd();
    let buffer = Buffer::from(vec![0; 5]);
    ring.push(Request::from(IOEvent::new(fd, buffer, IOAction::Read, 0)))
        .unwrap();
    ring.drive(Wait::Never, &mut Vec::new()).unwrap();

    let (mut ring, refused) = std::thread::scope(|scope| {
        scope
            .spawn(move || {
                let refused = ring.drive(Wait::For(1), &mut Vec::new()).unwrap_err();
                (ring, refused)
            })
            .join()
            .unwrap()
    });
    assert!(refused.to_string().contains("another thread"), "{refused}");
    assert_eq!(ring.in_flight(), 1);

    (&writer).write_all(b"bytes").unwrap();
    let mut done = Vec::new();
    ring.drive(Wait::For(1), &mut done).unwrap();
    let mut finished = Vec::new();
    done.pop().unwrap().report(&mut finished);
    assert_eq!(&**finished[0].buffer().unwrap(), b"bytes");
}

#[test]
fn a_ring_dropped_with_work_in_flight_waits_for_it() {
    let (Some(mut ring), file) = (ring(64), file()) else {
        return;
    };
    for block in 0..64 {
        ring.push(read(&file, block)).unwrap();
    }
    ring.drive(Wait::Never, &mut Vec::new()).unwrap();
    drop(ring);
    assert_eq!(Arc::strong_count(&file), 1, "every request was given back");
}

#[test]
fn a_drop_lasts_until_the_kernel_has_let_go() {
    const A_WHILE: Duration = Duration::from_millis(50);
    let Some(mut ring) = ring(1) else { return };
    let (reader, mut writer) = std::io::pipe().unwrap();
    let buffer = Buffer::from(vec![0; 5]);
    let event = IOEvent::new(reader.as_raw_fd(), buffer, IOAction::Read, 0);
    ring.push(Request::from(event)).unwrap();
    ring.drive(Wait::Never, &mut Vec::new()).unwrap();
    let has_written = Arc::new(AtomicBool::new(false));
    let writing = std::thread::spawn({
        let has_written = Arc::clone(&has_written);
        move || {
            let (_never, pause) = channel::<()>();
            pause.recv_timeout(A_WHILE).unwrap_err();
            has_written.store(true, Ordering::SeqCst);
            writer.write_all(b"bytes").unwrap();
        }
    });
    drop(ring);
    assert!(
        has_written.load(Ordering::SeqCst),
        "the kernel may still write to the buffer"
    );
    writing.join().unwrap();
}

#[test]
fn a_ring_that_is_given_up_answers_everything_and_keeps_the_memory() {
    let Some(mut ring) = ring(2) else { return };
    let (reader, mut writer) = std::io::pipe().unwrap();
    for drives in [true, false] {
        let buffer = Buffer::from(vec![0; 5]);
        let event = IOEvent::new(reader.as_raw_fd(), buffer, IOAction::Read, 0);
        ring.push(Request::from(event)).unwrap();
        if drives {
            ring.drive(Wait::Never, &mut Vec::new()).unwrap();
        }
    }
    let (mut done, mut events) = (Vec::new(), Vec::new());
    ring.abandon(&mut done);
    assert_eq!((done.len(), ring.in_flight()), (2, 0));
    done.drain(..)
        .for_each(|completion| completion.report(&mut events));
    for event in events {
        let kind = event.get_result().unwrap_err().kind();
        assert_eq!(kind, ErrorKind::BrokenPipe);
        assert!(event.buffer().is_none(), "the kernel may still write to it");
    }
    // What comes late is nobody's answer any more.
    writer.write_all(b"bytes").unwrap();
    ring.drive(Wait::Never, &mut done).unwrap_err();
    assert!(done.is_empty());
}

#[test]
fn a_ring_that_was_never_driven_is_dropped_without_a_trace() {
    let (Some(mut ring), file) = (ring(2), file()) else {
        return;
    };
    ring.push(read(&file, 0)).unwrap();
    drop(ring);
    assert_eq!(Arc::strong_count(&file), 1);
}

#[test]
fn a_ring_ends_a_wait_for_several() {
    let Some(mut ring) = ring(4) else { return };
    let pipes = [std::io::pipe().unwrap(), std::io::pipe().unwrap()];
    for (reader, _) in &pipes {
        let buffer = Buffer::from(vec![0; 5]);
        let event = IOEvent::new(reader.as_raw_fd(), buffer, IOAction::Read, 0);
        ring.push(Request::from(event)).unwrap();
    }
    let waker = ring.waker();
    let ringing = std::thread::spawn(move || waker.ring());
    let mut done = Vec::new();
    ring.drive(Wait::For(2), &mut done).unwrap();
    ringing.join().unwrap();
    assert_eq!((done.len(), ring.in_flight()), (0, 2));
    drop(pipes.map(|(_, writer)| writer));
    while ring.in_flight() > 0 {
        ring.drive(Wait::For(2), &mut done).unwrap();
    }
    assert_eq!(finish(&mut done), 2);
}

#[test]
fn each_ring_ends_a_sleep_of_its_own() {
    const FOR_EVER: Duration = Duration::from_secs(5);
    let Some(mut ring) = ring(1) else { return };
    let waker = ring.waker();
    for nth in 1..4 {
        waker.ring();
        let begin = Instant::now();
        ring.drive(Wait::Until(begin + FOR_EVER), &mut Vec::new())
            .unwrap();
        assert!(begin.elapsed() < FOR_EVER, "ring {nth} was not heard");
    }
}

#[test]
fn what_the_kernel_never_got_is_given_up_with_its_buffer() {
    for drives_before in [false, true] {
        let (Some(mut ring), file) = (ring(4), file()) else {
            return;
        };
        let (mut done, mut finished) = (Vec::new(), Vec::new());
        if drives_before {
            ring.push(read(&file, 0)).unwrap();
            ring.drive(Wait::For(1), &mut done).unwrap();
            assert_eq!(finish(&mut done), 1);
        }
        ring.push(read(&file, 1)).unwrap();
        ring.push(read(&file, 2)).unwrap();
        ring.abandon(&mut done);
        assert_eq!((done.len(), ring.in_flight()), (2, 0));
        assert!(done.iter().all(Completion::is_given_up));
        done.drain(..).for_each(|one| one.report(&mut finished));
        assert!(finished.iter().all(|event| event.buffer().is_some()));
    }
}
