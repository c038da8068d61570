//! What is collected is never lost: it is sent, given back, or ended with an error.

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::sync_channel;

use io_engine_core::{Buffer, ClosureCb, IOAction, IOEvent};
use io_engine_merge::{MergeBuffer, MergeError, MergeSubmitter};

use crate::tagged::{Called, FD, Journal, Tag};

fn assert_ended_unsent(called: &[Called], ids: &[usize]) {
    let seen: Vec<usize> = called.iter().map(|called| called.id).collect();
    assert_eq!(seen, ids);
    for Called { event, .. } in called {
        let error = event.get_result().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        assert!(error.to_string().contains("never handed to the engine"));
        assert_eq!(
            event.buffer().unwrap().len(),
            8,
            "the buffer is still there"
        );
    }
}

#[test]
fn d10_pending_events_of_a_dropped_submitter_are_sent() {
    let (journal, (tx, rx)) = (Journal::default(), sync_channel(8));
    let mut submitter = MergeSubmitter::new(FD, tx, 4096, IOAction::Write);
    for (id, offset) in [(0, 0), (1, 8), (2, 16)] {
        submitter.add_event(journal.write(id, offset, 8)).unwrap();
    }
    assert!(rx.try_recv().is_err(), "they are still being collected");
    drop(submitter);
    let carrier = rx.try_recv().unwrap();
    assert_eq!(carrier.get_size(), 24);
    assert_eq!(journal.ids(carrier.into_events()), [0, 1, 2]);
    assert!(rx.try_recv().is_err());
}

#[test]
fn d10_pending_events_are_sent_when_a_panic_unwinds_through_the_submitter() {
    let (journal, (tx, rx)) = (Journal::default(), sync_channel(8));
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let mut submitter = MergeSubmitter::new(FD, tx, 4096, IOAction::Write);
        submitter.add_event(journal.write(0, 0, 8)).unwrap();
        submitter.add_event(journal.write(1, 8, 8)).unwrap();
        panic!("of the user's own making");
    }));
    assert!(unwound.is_err());
    assert_eq!(journal.ids(rx.try_recv().unwrap().into_events()), [0, 1]);
}

#[test]
fn d10_a_failed_send_of_a_merged_run_gives_back_every_event() {
    let (journal, (tx, rx)) = (Journal::default(), sync_channel::<IOEvent<Tag>>(8));
    drop(rx);
    let mut submitter = MergeSubmitter::new(FD, tx, 4096, IOAction::Write);
    for (id, offset) in [(0, 0), (1, 8), (2, 16)] {
        submitter.add_event(journal.write(id, offset, 8)).unwrap();
    }
    let error = submitter.flush().unwrap_err();
    assert!(matches!(error, MergeError::SendFailed(_)));
    assert_eq!(submitter.pending(), 0);
    assert_eq!(journal.ids(error.into_events()), [0, 1, 2]);

    submitter.add_event(journal.write(3, 0, 8)).unwrap();
    submitter.add_event(journal.write(4, 8, 8)).unwrap();
    let after_a_gap = submitter.add_event(journal.write(5, 99, 8)).unwrap_err();
    assert_eq!(journal.ids(after_a_gap.into_events()), [3, 4, 5]);

    drop(submitter);
    assert!(
        journal.take().is_empty(),
        "what was given back is not ended too"
    );
}

#[test]
fn d10_a_failed_send_at_drop_calls_every_callback_with_an_error() {
    let (journal, (tx, rx)) = (Journal::default(), sync_channel::<IOEvent<Tag>>(8));
    drop(rx);
    let mut submitter = MergeSubmitter::new(FD, tx, 4096, IOAction::Write);
    for (id, offset) in [(0, 0), (1, 8), (2, 16)] {
        submitter.add_event(journal.write(id, offset, 8)).unwrap();
    }
    assert!(journal.take().is_empty());
    drop(submitter);
    assert_ended_unsent(&journal.take(), &[0, 1, 2]);
}

#[test]
fn a_lone_event_whose_send_fails_at_drop_gets_its_callback() {
    let journal = Journal::default();
    let refuse = |event: IOEvent<Tag>| Err(event);
    let mut submitter = MergeSubmitter::new(FD, refuse, 4096, IOAction::Write);
    submitter.add_event(journal.write(7, 0, 8)).unwrap();
    drop(submitter);
    assert_ended_unsent(&journal.take(), &[7]);
}

#[test]
fn a_dropped_buffer_ends_what_it_holds() {
    let journal = Journal::default();
    let mut buffer = MergeBuffer::new(4096);
    buffer.offer(journal.write(0, 0, 8)).unwrap();
    buffer.offer(journal.write(1, 8, 8)).unwrap();
    drop(buffer);
    assert_ended_unsent(&journal.take(), &[0, 1]);
}

#[test]
fn a_callback_that_panics_at_drop_takes_no_other_with_it() {
    let (tx, rx) = sync_channel(8);
    let event = |offset, callback: ClosureCb| {
        let mut event = IOEvent::new(FD, Buffer::from(vec![0; 8]), IOAction::Write, offset);
        event.set_callback(callback);
        event
    };
    let refuse = |event: IOEvent<ClosureCb>| Err(event);
    let mut submitter = MergeSubmitter::new(FD, refuse, 4096, IOAction::Write);
    let panics = ClosureCb::new(|_| panic!("of the user's own making"));
    submitter.add_event(event(0, panics)).unwrap();
    let tells = ClosureCb::new(move |event| tx.send(event.offset()).unwrap());
    submitter.add_event(event(8, tells)).unwrap();
    drop(submitter);
    assert_eq!(rx.try_recv(), Ok(8));
}

#[test]
fn events_for_another_file_or_action_come_back_and_disturb_nothing() {
    let (journal, (tx, rx)) = (Journal::default(), sync_channel(8));
    let mut submitter = MergeSubmitter::new(FD, tx, 4096, IOAction::Write);
    submitter.add_event(journal.write(0, 0, 8)).unwrap();
    let elsewhere = IOEvent::new(FD + 1, vec![0; 8].into(), IOAction::Write, 8);
    let read = IOEvent::new(FD, vec![0; 8].into(), IOAction::Read, 8);
    for (id, event) in [(1, elsewhere), (2, read), (3, IOEvent::sync(FD))] {
        let error = submitter.add_event(journal.tag(id, event)).unwrap_err();
        assert!(matches!(error, MergeError::Misdirected(_)), "{error}");
        assert_eq!(journal.ids(error.into_events()), [id]);
        assert_eq!(submitter.pending(), 1);
    }
    submitter.add_event(journal.write(4, 8, 8)).unwrap();
    submitter.flush().unwrap();
    assert_eq!(journal.ids(rx.try_recv().unwrap().into_events()), [0, 4]);
}

#[test]
fn events_of_an_action_that_moves_no_bytes_are_sent_one_by_one() {
    let (journal, (tx, rx)) = (Journal::default(), sync_channel(8));
    let mut submitter = MergeSubmitter::new(FD, tx, 4096, IOAction::Sync);
    for id in 0..3 {
        submitter
            .add_event(journal.tag(id, IOEvent::sync(FD)))
            .unwrap();
        assert_eq!(submitter.pending(), 0);
    }
    assert_eq!(journal.ids(rx.try_iter()), [0, 1, 2]);
}
