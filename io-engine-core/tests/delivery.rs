//! A callback is called once; its panic stays its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use io_engine_core::{
    Buffer, CallbackPanicked, ClosureCb, Completion, IOAction, IOEvent, MergedEvents, Request,
    deliver,
};

fn event_with(callback: impl FnOnce(IOEvent<ClosureCb>) + Send + 'static) -> IOEvent<ClosureCb> {
    let mut event = IOEvent::new(-1, Buffer::from(vec![0; 10]), IOAction::Read, 0);
    event.set_callback(ClosureCb::new(callback));
    event
}

#[test]
fn the_callback_gets_the_event() {
    let (tx, rx) = mpsc::channel();
    deliver(event_with(move |event| tx.send(event).unwrap())).unwrap();
    let event = rx.try_recv().unwrap();
    assert_eq!(event.get_size(), 10);
    // It comes without a callback: delivering it again calls nobody.
    deliver(event).unwrap();
    assert!(rx.try_recv().is_err());
}

#[test]
fn d19_a_panic_of_a_callback_is_caught() {
    assert_eq!(
        deliver(event_with(|_| panic!("as a text"))),
        Err(CallbackPanicked)
    );
    let number = 7;
    assert_eq!(
        deliver(event_with(move |_| panic!("a {number}"))),
        Err(CallbackPanicked)
    );
    let neither = |_| std::panic::panic_any(7_u8);
    assert_eq!(deliver(event_with(neither)), Err(CallbackPanicked));
}

#[test]
fn d19_a_panic_that_panics_when_it_is_dropped_is_caught_as_well() {
    struct Grudge;
    impl Drop for Grudge {
        fn drop(&mut self) {
            panic!("once more");
        }
    }
    let callback = |_| std::panic::panic_any(Grudge);
    assert_eq!(deliver(event_with(callback)), Err(CallbackPanicked));
}

#[test]
fn d19_a_panic_in_a_run_leaves_the_other_callbacks_alone() {
    let called = Arc::new(AtomicUsize::new(0));
    let event = |index: i64| {
        let called = Arc::clone(&called);
        let buffer = Buffer::from(vec![0; 10]);
        let mut event = IOEvent::new(-1, buffer, IOAction::Read, index * 10);
        event.set_callback(ClosureCb::new(move |_| {
            called.fetch_add(1, Ordering::SeqCst);
            assert_ne!(index, 1, "the second one panics");
        }));
        event
    };
    let merged = MergedEvents::new((0..4).map(event).collect()).unwrap();
    let request = Request::from(IOEvent::from_merged(merged));
    Completion::from_kernel(request, 40).finish();
    assert_eq!(called.load(Ordering::SeqCst), 4);
}

#[test]
fn an_event_without_a_callback_is_dropped_quietly() {
    let file = Arc::new(tempfile::tempfile().unwrap());
    let event = IOEvent::<()>::new(&file, Buffer::from(vec![0; 10]), IOAction::Read, 0);
    deliver(event).unwrap();
    assert_eq!(Arc::strong_count(&file), 1, "the event is gone");
}

#[test]
fn dropping_an_event_calls_nobody() {
    let (tx, rx) = mpsc::channel::<()>();
    drop(event_with(move |_| tx.send(()).unwrap()));
    assert_eq!(rx.try_recv(), Err(mpsc::TryRecvError::Disconnected));
}
