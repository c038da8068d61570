//! A callback is called once; its panic stays its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use io_engine_core::{
    Answered, Buffer, CallbackPanicked, ClosureCb, Completion, IOAction, IOEvent, InFlight,
    MergedEvents, Request, Serves, Ticket, deliver, deliver_all,
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

/// Requests in their slots, and what the kernel says to each.
struct Script {
    slots: InFlight<ClosureCb>,
    answers: std::vec::IntoIter<(Ticket, i64)>,
    again: Vec<Request<ClosureCb>>,
    before: usize,
}

impl Serves<ClosureCb> for Script {
    fn next_answer(&mut self) -> Option<Answered<ClosureCb>> {
        let (ticket, result) = self.answers.next()?;
        self.slots.answer(ticket, result)
    }

    fn take_callback(&mut self, ticket: Ticket) -> Option<ClosureCb> {
        self.slots.take_callback(ticket)
    }

    fn take_whole(&mut self, ticket: Ticket) -> IOEvent<ClosureCb> {
        self.slots.take_whole(ticket)
    }

    fn settle(
        &mut self,
        completion: Completion<ClosureCb>,
        finished: &mut Vec<IOEvent<ClosureCb>>,
    ) {
        completion.settle(finished, &mut self.again);
    }

    fn before_callback(&mut self) {
        self.before += 1;
    }
}

impl Script {
    fn of(requests: Vec<(Request<ClosureCb>, i64)>) -> Self {
        let mut slots = InFlight::with_capacity(requests.len());
        let insert = |(request, answer)| {
            let inserted = slots.insert(request);
            (inserted.expect("a slot for each").0, answer)
        };
        let answers: Vec<_> = requests.into_iter().map(insert).collect();
        Self {
            slots,
            answers: answers.into_iter(),
            again: Vec::new(),
            before: 0,
        }
    }
}

/// Requests that end in different ways: whole, short, of a run, with an error.
fn a_mixed_batch(say: &(impl Fn(usize) + Clone + Send + 'static)) -> Script {
    let mut number = 0;
    let mut event = |offset: i64| {
        let (say, own) = (say.clone(), number);
        number += 1;
        let mut event = IOEvent::new(-1, Buffer::from(vec![0; 10]), IOAction::Read, offset);
        event.set_callback(ClosureCb::new(move |_| say(own)));
        event
    };
    let first = (Request::from(event(0)), 10);
    let failed = (Request::from(event(0)), -i64::from(libc::EIO));
    let run = MergedEvents::new(vec![event(0), event(10), event(20)]);
    let run = (
        Request::from(IOEvent::from_merged(run.expect("contiguous"))),
        30,
    );
    let ended = (Request::from(event(0)), 0);
    let last = (Request::from(event(0)), 10);
    Script::of(vec![first, failed, run, ended, last])
}

#[test]
fn a_batch_is_delivered_in_order_whatever_its_ends() {
    let (tx, rx) = mpsc::channel();
    let mut batch = a_mixed_batch(&move |number| tx.send(number).unwrap());
    let mut finished = Vec::new();
    let delivered = deliver_all(&mut batch, &mut finished);
    assert_eq!(
        (delivered.called, delivered.panics, batch.before),
        (7, 0, 7)
    );
    assert_eq!(rx.iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6]);
    assert!(batch.slots.is_empty() && finished.is_empty() && batch.again.is_empty());
}

#[test]
fn d19_any_callback_of_a_batch_may_panic_and_the_others_are_called_once() {
    for panics in [
        vec![0],
        vec![1],
        vec![3],
        vec![4],
        vec![6],
        (0..7).collect::<Vec<_>>(),
    ] {
        let (tx, rx) = mpsc::channel();
        let expected = panics.len() as u64;
        let mut batch = a_mixed_batch(&move |number| {
            tx.send(number).unwrap();
            assert!(!panics.contains(&number), "as it was told to");
        });
        let mut finished = Vec::new();
        let delivered = deliver_all(&mut batch, &mut finished);
        assert_eq!((delivered.called, delivered.panics), (7, expected));
        assert_eq!(rx.iter().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6]);
    }
}

#[test]
fn what_is_short_is_asked_for_again_and_calls_nobody() {
    let buffer = Buffer::from(vec![0; 10]);
    let mut event = IOEvent::new(-1, buffer, IOAction::Write, 0);
    event.set_callback(ClosureCb::new(|_| panic!("not yet")));
    let mut batch = Script::of(vec![(Request::from(event), 4)]);
    let delivered = deliver_all(&mut batch, &mut Vec::new());
    assert_eq!((delivered.called, batch.again.len()), (0, 1));
}
