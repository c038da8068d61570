//! Sharing the bytes of an answer out over the events, one rule per test.

mod fake_kernel;

use std::io::{Error, ErrorKind};
use std::sync::mpsc;

use fake_kernel::FakeKernel;
use io_engine_core::{
    Buffer, ClosureCb, Completion, IOAction, IOCallback, IOEvent, MergedEvents, Operation, Request,
};

/// Events of these sizes, one behind the other from byte 0 on.
fn run_of<C: IOCallback>(action: IOAction, sizes: &[usize]) -> Vec<IOEvent<C>> {
    let mut at = 0;
    let mut events = Vec::new();
    for &size in sizes {
        let offset = i64::try_from(at).expect("small");
        events.push(IOEvent::new(
            -1,
            Buffer::from(vec![0; size]),
            action,
            offset,
        ));
        at += size;
    }
    events
}

fn request_of<C: IOCallback>(mut events: Vec<IOEvent<C>>) -> Request<C> {
    if events.len() == 1 {
        return Request::from(events.remove(0));
    }
    let merged = MergedEvents::new(events).expect("the events form a run");
    Request::from(IOEvent::from_merged(merged))
}

fn settled(request: Request<()>, result: i64) -> (Vec<IOEvent<()>>, Vec<Request<()>>) {
    let (mut finished, mut again) = (Vec::new(), Vec::new());
    Completion::from_kernel(request, result).settle(&mut finished, &mut again);
    (finished, again)
}

fn reported(request: Request<()>, result: i64) -> Vec<IOEvent<()>> {
    let mut finished = Vec::new();
    Completion::from_kernel(request, result).report(&mut finished);
    finished
}

/// Address, length and offset of a transfer of one event.
fn parts(operation: Operation) -> (usize, usize, usize) {
    let (start, len, offset) = if let Operation::Read { start, len, offset } = operation {
        (start.cast_const(), len, offset)
    } else if let Operation::Write { start, len, offset } = operation {
        (start, len, offset)
    } else {
        panic!("not the transfer of one event: {operation:?}");
    };
    let len = usize::try_from(len).expect("a usize has 64 bits");
    let offset = usize::try_from(offset).expect("a usize has 64 bits");
    (start as usize, len, offset)
}

#[test]
fn an_answer_is_shared_out_in_file_order() {
    // What the kernel answers to a run of 100, 1 and 50 bytes, and what each event has then.
    let table: [(i64, [i32; 3]); 8] = [
        (151, [100, 1, 50]),
        (150, [100, 1, 49]),
        (101, [100, 1, 0]),
        (100, [100, 0, 0]),
        (99, [99, 0, 0]),
        (1, [1, 0, 0]),
        (0, [0, 0, 0]),
        // More than was asked for: nobody gets more than his buffer holds.
        (1000, [100, 1, 50]),
    ];
    for action in [IOAction::Read, IOAction::Write] {
        for (answer, expected) in table {
            let events = reported(request_of(run_of(action, &[100, 1, 50])), answer);
            let found: Vec<i32> = events.iter().map(IOEvent::res).collect();
            assert_eq!(found, expected, "{action:?} {answer}");
        }
    }
}

#[test]
fn d1_what_is_left_shrinks_by_what_was_transferred() {
    for action in [IOAction::Read, IOAction::Write] {
        let event = IOEvent::<()>::new(-1, Buffer::from(vec![0; 1000]), action, 5000);
        let mut request = Request::from(event);
        let (start, len, offset) = parts(request.operation());
        assert_eq!((len, offset), (1000, 5000));
        let mut moved = 0;
        for answer in [1, 299, 600, 99] {
            let (finished, mut again) = settled(request, answer);
            assert!(finished.is_empty());
            moved += usize::try_from(answer).unwrap();
            request = again.remove(0);
            let (now, len, offset) = parts(request.operation());
            assert_eq!(now, start + moved, "the address moves on");
            assert_eq!(len, 1000 - moved, "the length shrinks");
            assert_eq!(offset, 5000 + moved, "the offset moves on");
        }
        let (finished, again) = settled(request, 1);
        assert!(again.is_empty());
        assert_eq!(finished[0].get_result().unwrap(), 1000);
    }
}

#[test]
fn d1_an_event_that_is_handed_over_again_asks_for_the_rest_only() {
    let event = IOEvent::new(-1, Buffer::from(vec![0; 1000]), IOAction::Write, 5000);
    let mut request = Request::from(event);
    let (start, ..) = parts(request.operation());
    let event = reported(request, 400).remove(0);
    let mut request = Request::from(event);
    assert_eq!(parts(request.operation()), (start + 400, 600, 5400));
}

#[test]
fn d2_an_error_reaches_the_callback() {
    for errno in [libc::EIO, libc::ENOSPC, libc::EBADF, libc::ENODEV] {
        let (tx, rx) = mpsc::channel();
        let mut event = IOEvent::new(-1, Buffer::from(vec![0; 10]), IOAction::Read, 0);
        event.set_callback(ClosureCb::new(move |event| tx.send(event).unwrap()));
        Completion::from_kernel(Request::from(event), -i64::from(errno)).finish();
        let event = rx.try_recv().expect("the callback was called");
        assert!(event.is_done());
        assert_eq!(event.get_result().unwrap_err().raw_os_error(), Some(errno));
        assert_eq!(event.res(), -errno);
    }
}

#[test]
fn d2_an_error_reaches_every_callback_of_a_run() {
    let (tx, rx) = mpsc::channel();
    let mut events = run_of(IOAction::Write, &[10, 20, 30]);
    for event in &mut events {
        let tx = tx.clone();
        event.set_callback(ClosureCb::new(move |event| {
            tx.send((event.offset(), event.get_result().is_err()))
                .unwrap();
        }));
    }
    Completion::from_kernel(request_of(events), -i64::from(libc::EIO)).finish();
    drop(tx);
    let called: Vec<(i64, bool)> = rx.iter().collect();
    assert_eq!(called, [(0, true), (10, true), (30, true)]);
}

#[test]
fn d3_an_event_without_a_callback_leaves_the_later_ones_their_bytes() {
    let content: Vec<u8> = (0..=255).collect();
    let mut kernel = FakeKernel {
        file: content.clone(),
    };
    for silent in 0..3 {
        for answer in [256, 150] {
            let (tx, rx) = mpsc::channel();
            let mut events = run_of(IOAction::Read, &[100, 28, 128]);
            for (index, event) in events.iter_mut().enumerate() {
                let tx = tx.clone();
                if index != silent {
                    event.set_callback(ClosureCb::new(move |event| tx.send(event).unwrap()));
                }
            }
            let mut request = request_of(events);
            let result = kernel.answer(&mut request, answer);
            Completion::from_kernel(request, result).finish();
            drop(tx);
            let mut called = 0;
            for event in rx {
                called += 1;
                let at = usize::try_from(event.offset()).unwrap();
                let done = event.transferred();
                assert_eq!(
                    done,
                    answer
                        .saturating_sub(at)
                        .min(usize::try_from(event.get_size()).unwrap())
                );
                let buffer = event.into_buffer().unwrap();
                assert_eq!(buffer[..done], content[at..at + done]);
            }
            assert_eq!(called, 2, "all but the silent one");
        }
    }
}

#[test]
fn d21_a_read_of_no_bytes_is_the_end_and_is_not_asked_for_again() {
    let read = || request_of(run_of(IOAction::Read, &[100]));
    let (finished, again) = settled(read(), 0);
    assert!(again.is_empty());
    assert!(finished[0].is_end_of_file());
    assert_eq!(finished[0].get_result().unwrap(), 0);

    let (_, mut again) = settled(read(), 40);
    let (mut finished, again) = settled(again.remove(0), 0);
    assert!(again.is_empty());
    assert!(finished[0].is_end_of_file());
    assert_eq!(finished.remove(0).get_read_result().unwrap().len(), 40);
}

#[test]
fn d21_a_run_of_reads_ends_at_the_end_of_the_file() {
    let (_, mut again) = settled(request_of(run_of(IOAction::Read, &[10, 10, 10])), 15);
    let (finished, again) = settled(again.remove(0), 0);
    assert!(again.is_empty());
    let found: Vec<_> = finished
        .iter()
        .map(|event| (event.res(), event.is_end_of_file()))
        .collect();
    assert_eq!(found, [(10, false), (5, true), (0, true)]);
}

#[test]
fn d21_a_write_of_no_bytes_is_an_error_and_is_not_repeated() {
    let (finished, again) = settled(request_of(run_of(IOAction::Write, &[100])), 0);
    assert!(again.is_empty());
    let error = finished[0].get_result().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WriteZero);

    let (finished, again) = settled(request_of(run_of(IOAction::Write, &[10, 20])), 0);
    assert!(finished.is_empty(), "each is tried on its own first");
    for request in again {
        let (finished, again) = settled(request, 0);
        assert!(again.is_empty());
        let error = finished[0].get_result().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WriteZero);
    }
}

#[test]
fn d21_a_write_of_no_bytes_is_an_error_where_short_ones_are_reported_too() {
    for lens in [&[100][..], &[10, 20]] {
        let mut requests = vec![request_of::<()>(run_of(IOAction::Write, lens))];
        let mut finished = Vec::new();
        for _ in 0..lens.len() {
            for request in std::mem::take(&mut requests) {
                Completion::from_kernel(request, 0).settle_reporting(&mut finished, &mut requests);
            }
        }
        assert!(requests.is_empty(), "it is asked for again and again");
        assert_eq!(finished.len(), lens.len());
        for event in finished {
            let error = event.get_result().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WriteZero);
        }
    }
    let event = IOEvent::new(-1, Buffer::from(vec![0; 100]), IOAction::Write, 0);
    let event = reported(Request::from(event), 40).remove(0);
    let (mut finished, mut again) = (Vec::new(), Vec::new());
    Completion::from_kernel(Request::from(event), 0).settle_reporting(&mut finished, &mut again);
    assert!(finished[0].get_result().is_err() && again.is_empty());
    assert_eq!(finished[0].transferred(), 40);
}

#[test]
fn an_error_after_part_of_the_bytes_keeps_their_count() {
    let (_, mut again) = settled(request_of(run_of(IOAction::Write, &[100])), 40);
    let (finished, again) = settled(again.remove(0), -i64::from(libc::ENOSPC));
    assert!(again.is_empty());
    let error = finished[0].get_result().unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENOSPC));
    assert_eq!(
        (finished[0].res(), finished[0].transferred()),
        (-libc::ENOSPC, 40)
    );
}

#[test]
fn an_error_in_a_run_is_given_to_the_event_that_fails_alone() {
    let request = request_of(run_of(IOAction::Write, &[10, 20, 30, 40]));
    let (finished, mut again) = settled(request, 15);
    assert!(finished.is_empty());
    // The first is complete, the second half written: the error may belong to any but the first.
    let (finished, again) = settled(again.remove(0), -i64::from(libc::EIO));
    assert_eq!(finished.len(), 1);
    finished[0].get_write_result().unwrap();
    assert_eq!(again.len(), 3);
    let lens = [15, 30, 40];
    for (mut request, len) in again.into_iter().zip(lens) {
        assert_eq!(parts(request.operation()).1, len);
        let answer = if len == 30 {
            -i64::from(libc::EIO)
        } else {
            i64::try_from(len).unwrap()
        };
        let (finished, again) = settled(request, answer);
        assert!(again.is_empty());
        assert_eq!(finished[0].get_write_result().is_err(), len == 30);
    }
}

#[test]
fn being_interrupted_is_no_result() {
    for errno in [libc::EINTR, libc::EAGAIN, libc::ECANCELED] {
        let request = request_of(run_of(IOAction::Read, &[10, 20]));
        let (finished, again) = settled(request, -i64::from(errno));
        assert!(finished.is_empty());
        assert_eq!(
            (again.len(), again[0].event_count()),
            (1, 2),
            "the run stays a run"
        );
    }
}

#[test]
fn a_kernel_that_is_busy_for_ever_is_a_time_out() {
    for errno in [libc::EAGAIN, libc::EINTR] {
        let error = answered_for_ever(errno);
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }
}

#[test]
fn a_request_that_is_cancelled_for_ever_is_cancelled() {
    let error = answered_for_ever(libc::ECANCELED);
    assert_eq!(error.raw_os_error(), Some(libc::ECANCELED));
}

/// What a request ends with that gets nothing but this errno.
fn answered_for_ever(errno: i32) -> Error {
    let mut request = request_of(run_of(IOAction::Read, &[10]));
    for attempt in 1..=10_000 {
        let (finished, mut again) = settled(request, -i64::from(errno));
        match again.pop() {
            Some(same) => request = same,
            None => {
                assert_eq!(attempt, 1000);
                return finished[0].get_result().expect_err("nothing was moved");
            }
        }
    }
    panic!("it is asked for again for ever");
}

#[test]
fn progress_starts_the_count_of_attempts_anew() {
    let mut request = request_of(run_of(IOAction::Read, &[10]));
    for answer in (0..9).flat_map(|_| std::iter::repeat_n(-i64::from(libc::EAGAIN), 999).chain([1]))
    {
        let (finished, mut again) = settled(request, answer);
        assert!(finished.is_empty(), "{finished:?}");
        request = again.remove(0);
    }
    let (finished, _) = settled(request, 1);
    assert_eq!(finished[0].get_result().unwrap(), 10);
}

#[test]
fn what_is_given_up_keeps_its_buffer_only_if_nobody_had_begun_it() {
    let read = || request_of::<()>(run_of(IOAction::Read, &[10]));
    for (completion, keeps) in [
        (Completion::given_up(read()), false),
        (Completion::given_up_unsent(read()), true),
        (Completion::queue_broken(read()), false),
        (Completion::queue_broken_unsent(read()), true),
        (Completion::not_carried_out(read()), true),
    ] {
        let (mut finished, mut again) = (Vec::new(), Vec::new());
        completion.settle(&mut finished, &mut again);
        assert!(again.is_empty());
        let event = finished.remove(0);
        let error = event.get_result().expect_err("it was given up");
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        assert_eq!(event.into_buffer().is_some(), keeps, "{error}");
    }
}

#[test]
fn a_transfer_at_a_place_can_be_repeated_and_a_sync_cannot() {
    let file = std::sync::Arc::new(tempfile::tempfile().expect("a file"));
    let (pipe, _other_end) = std::io::pipe().expect("a pipe");
    let pipe = std::sync::Arc::new(std::os::fd::OwnedFd::from(pipe));
    let buffer = || Buffer::from(vec![0; 10]);
    for (event, can_be) in [
        (IOEvent::<()>::new(&file, buffer(), IOAction::Read, 0), true),
        (IOEvent::new(&file, buffer(), IOAction::Write, 0), true),
        (IOEvent::new(&pipe, buffer(), IOAction::Read, 0), false),
        (IOEvent::new_no_buf(&file, IOAction::ZeroRange, 0, 10), true),
        (IOEvent::sync(&file), false),
        (IOEvent::data_sync(&file), false),
    ] {
        let request = Request::from(event);
        assert_eq!(request.can_be_repeated(), can_be, "{:?}", request.action());
    }
}
