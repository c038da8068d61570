//! Answers that are no byte counts: refusals, broken queues, actions that move nothing.

use std::io::ErrorKind;

use io_engine_core::{
    Buffer, Completion, IOAction, IOEvent, InvalidRequest, MergedEvents, Request,
    TRANSFER_BYTES_MAX,
};

/// A write of these sizes, one behind the other from byte 0 on.
fn write_of(sizes: &[usize]) -> Request<()> {
    let mut at = 0;
    let mut events = Vec::new();
    for &size in sizes {
        let offset = i64::try_from(at).expect("small");
        let buffer = Buffer::from(vec![0; size]);
        events.push(IOEvent::new(-1, buffer, IOAction::Write, offset));
        at += size;
    }
    if events.len() == 1 {
        return Request::from(events.remove(0));
    }
    let merged = MergedEvents::new(events).expect("the events form a run");
    Request::from(IOEvent::from_merged(merged))
}

fn settled(completion: Completion<()>) -> (Vec<IOEvent<()>>, Vec<Request<()>>) {
    let (mut finished, mut again) = (Vec::new(), Vec::new());
    completion.settle(&mut finished, &mut again);
    (finished, again)
}

#[test]
fn d23_what_moves_no_bytes_has_result_zero() {
    let actions = [
        (IOAction::Sync, 0),
        (IOAction::DataSync, 0),
        (IOAction::Allocate, 3 << 30),
        (IOAction::PunchHole, 1 << 40),
    ];
    for (action, len) in actions {
        let event = IOEvent::<()>::new_no_buf(-1, action, 0, len);
        let (finished, again) = settled(Completion::from_kernel(Request::from(event), 0));
        assert!(again.is_empty());
        assert_eq!(finished[0].get_result().unwrap(), 0);
        assert_eq!(finished[0].res(), 0);
        finished[0].get_write_result().unwrap();
    }
}

#[test]
fn the_error_of_what_moves_no_bytes_reaches_its_event() {
    for action in [IOAction::Sync, IOAction::DataSync, IOAction::PunchHole] {
        let event = IOEvent::<()>::new_no_buf(-1, action, 0, 1);
        let completion = Completion::from_kernel(Request::from(event), -i64::from(libc::EIO));
        let (finished, again) = settled(completion);
        assert!(again.is_empty(), "a sync that failed is not tried again");
        let error = finished[0].get_result().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EIO), "{action:?}");
        finished[0].get_write_result().unwrap_err();
        assert_eq!(finished[0].res(), -libc::EIO);
    }
}

#[test]
fn a_broken_queue_is_an_error_of_every_event_and_no_success() {
    for sizes in [&[10][..], &[10, 20, 30]] {
        for settles in [false, true] {
            let (mut finished, mut again) = (Vec::new(), Vec::new());
            let completion = Completion::queue_broken(write_of(sizes));
            if settles {
                completion.settle(&mut finished, &mut again);
            } else {
                completion.report(&mut finished);
            }
            assert!(again.is_empty(), "there is no queue to ask");
            assert_eq!(finished.len(), sizes.len());
            for event in finished {
                let error = event.get_write_result().unwrap_err();
                assert_eq!(error.kind(), ErrorKind::BrokenPipe);
                let buffer = event.into_buffer();
                assert!(buffer.is_none(), "the kernel may still have it");
            }
        }
    }
}

#[test]
fn a_closed_queue_is_an_error_and_gives_the_buffers_back() {
    for sizes in [&[10][..], &[10, 20, 30]] {
        let (finished, again) = settled(Completion::queue_closed(write_of(sizes)));
        assert!(again.is_empty(), "there is no queue to ask");
        for (event, &size) in finished.into_iter().zip(sizes) {
            let error = event.get_write_result().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BrokenPipe);
            assert_eq!(event.into_buffer().unwrap().len(), size);
        }
    }
}

#[test]
fn an_event_of_no_bytes_is_refused_and_no_success() {
    let request = write_of(&[0]);
    let invalid = request.check().unwrap_err();
    assert_eq!(invalid, InvalidRequest::EmptyBuffer);
    let (finished, again) = settled(Completion::invalid(request, invalid));
    assert!(again.is_empty());
    let error = finished[0].get_write_result().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[test]
fn more_bytes_than_the_kernel_moves_at_once_are_refused() {
    let request = write_of(&[TRANSFER_BYTES_MAX + 1]);
    let (len, max) = (0x7fff_f001, 0x7fff_f000);
    let refused = request.check().unwrap_err();
    assert_eq!(refused, InvalidRequest::TooLong { len, max });
}

#[test]
fn a_refusal_after_part_of_the_bytes_keeps_their_count() {
    let (_, mut again) = settled(Completion::from_kernel(write_of(&[100]), 40));
    let invalid = InvalidRequest::NegativeOffset { offset: -1 };
    let (finished, again) = settled(Completion::invalid(again.remove(0), invalid));
    assert!(again.is_empty());
    let error = finished[0].get_result().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(finished[0].transferred(), 40);
}

#[test]
fn a_completed_event_has_nothing_left_to_ask_for() {
    let mut complete = Vec::new();
    Completion::from_kernel(write_of(&[10]), 10).report(&mut complete);
    let request = Request::from(complete.remove(0));
    assert!(request.is_complete());
    let (finished, again) = settled(Completion::complete(request));
    assert!(again.is_empty());
    assert_eq!(finished[0].get_result().unwrap(), 10);
}

#[test]
fn the_smallest_number_is_an_error_and_no_crash() {
    let (finished, _) = settled(Completion::from_kernel(write_of(&[10]), i64::MIN));
    let error = finished[0].get_result().unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EIO));
}

#[test]
fn settling_without_resuming_reports_a_short_transfer() {
    let (mut finished, mut again) = (Vec::new(), Vec::new());
    Completion::from_kernel(write_of(&[10, 20]), 15).settle_reporting(&mut finished, &mut again);
    assert!(again.is_empty());
    let found: Vec<i32> = finished.iter().map(IOEvent::res).collect();
    assert_eq!(found, [10, 5]);

    // What the transfer did not reach was not tried, as if it had been alone.
    let run = Completion::from_kernel(write_of(&[10, 20, 30]), 15);
    let mut reached = Vec::new();
    run.settle_reporting(&mut reached, &mut again);
    let found: Vec<i32> = reached.iter().map(IOEvent::res).collect();
    assert_eq!(found, [10, 5]);
    let behind = again.pop().expect("the third");
    assert_eq!((behind.total_bytes(), again.len()), (30, 0));

    let interrupted = Completion::from_kernel(write_of(&[10]), -i64::from(libc::EINTR));
    interrupted.settle_reporting(&mut finished, &mut again);
    assert_eq!(
        (finished.len(), again.len()),
        (2, 1),
        "interrupted is no result"
    );
}
