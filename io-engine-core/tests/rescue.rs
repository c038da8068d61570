//! What a foreign queue throws away when it is closed is caught.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;

use io_engine_core::{
    Buffer, ClosureCb, IOAction, IOCallback, IOEvent, MergedEvents, dropped_events,
};

struct Other;

impl IOCallback for Other {
    fn call(self, _event: IOEvent<Self>) {}
}

fn event<C: IOCallback>(offset: i64, callback: C) -> IOEvent<C> {
    let mut event = IOEvent::new(-1, Buffer::from(vec![3; 10]), IOAction::Write, offset);
    event.set_callback(callback);
    event
}

fn offsets<C: IOCallback>(events: &[IOEvent<C>]) -> Vec<i64> {
    events.iter().map(IOEvent::offset).collect()
}

#[test]
fn events_in_a_closed_channel_come_back_whole_and_in_order() {
    let (tx, rx) = mpsc::sync_channel(10);
    let (done_tx, done_rx) = mpsc::channel();
    for offset in 0..5 {
        let done_tx = done_tx.clone();
        let callback = ClosureCb::new(move |event| done_tx.send(event).unwrap());
        tx.send(event(offset, callback)).unwrap();
    }
    let rescued = dropped_events(|| drop(rx));
    assert_eq!(offsets::<ClosureCb>(&rescued), [0, 1, 2, 3, 4]);
    for event in rescued {
        assert_eq!(event.buffer().unwrap()[..], [3; 10]);
        io_engine_core::deliver(event).unwrap();
    }
    assert_eq!(done_rx.try_iter().count(), 5, "the callbacks came along");
    assert!(
        tx.send(event(5, ClosureCb::new(|_| {}))).is_err(),
        "it is closed"
    );
}

#[test]
fn a_run_comes_back_as_the_run_it_is() {
    let events = vec![event(0, ()), event(10, ())];
    let carrier = IOEvent::from_merged(MergedEvents::new(events).unwrap());
    let (tx, rx) = mpsc::channel();
    tx.send(carrier).unwrap();
    let rescued = dropped_events::<()>(|| drop(rx));
    assert_eq!(rescued.len(), 1);
    let inside: Vec<IOEvent<()>> = rescued.into_iter().flat_map(IOEvent::into_events).collect();
    assert_eq!(offsets(&inside), [0, 10]);
}

#[test]
fn a_write_without_a_callback_is_to_be_carried_out_too() {
    let rescued = dropped_events::<()>(|| {
        let buffer = Buffer::from(vec![0; 10]);
        drop(IOEvent::<()>::new(-1, buffer, IOAction::Write, 7));
    });
    assert_eq!(offsets(&rescued), [7]);
}

#[test]
fn what_is_dropped_before_and_after_is_not_collected() {
    drop(event(1, ()));
    let rescued = dropped_events::<()>(|| drop(event(2, ())));
    drop(event(3, ()));
    assert_eq!(offsets(&rescued), [2]);
    assert!(dropped_events::<()>(|| {}).is_empty());
}

#[test]
fn another_thread_is_another_matter() {
    let rescued = dropped_events::<()>(|| {
        let other = std::thread::spawn(|| drop(event(1, ())));
        other.join().unwrap();
    });
    assert!(rescued.is_empty());
}

#[test]
fn events_of_another_callback_type_are_not_collected() {
    let rescued = dropped_events::<()>(|| {
        drop(event(1, Other));
        drop(event(2, ()));
    });
    assert_eq!(offsets(&rescued), [2]);
}

#[test]
fn a_collection_within_a_collection_of_the_same_type_keeps_its_own() {
    let mut inner = Vec::new();
    let outer = dropped_events::<()>(|| {
        drop(event(1, ()));
        inner = dropped_events::<()>(|| drop(event(2, ())));
        drop(event(3, ()));
    });
    assert_eq!(offsets(&inner), [2]);
    assert_eq!(offsets(&outer), [1, 3]);
}

#[test]
fn a_collection_within_a_collection_of_another_type_hides_nothing() {
    let mut inner = Vec::new();
    let outer = dropped_events::<()>(|| {
        inner = dropped_events::<Other>(|| {
            drop(event(1, ()));
            drop(event(2, Other));
        });
    });
    assert_eq!(offsets(&inner), [2]);
    assert_eq!(offsets(&outer), [1]);
}

#[test]
fn a_panic_while_closing_ends_the_collection() {
    let panics = || dropped_events::<()>(|| panic!("while closing"));
    assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
    let rescued = dropped_events::<Other>(|| drop(event(1, ())));
    assert!(rescued.is_empty());
    // Were the first collection still open, it would hold the file of this event for ever.
    let file = std::sync::Arc::new(tempfile::tempfile().unwrap());
    let mut kept = IOEvent::new(&file, Buffer::from(vec![0; 10]), IOAction::Write, 0);
    kept.set_callback(());
    drop(kept);
    assert_eq!(std::sync::Arc::strong_count(&file), 1);
}
