//! Contexts that are fed by a plain channel: its bounds, and how they end.

use std::cell::RefCell;
use std::fs::File;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, after, bounded};
use io_engine::callback_worker::{IOWorkers, Inline};
use io_engine::tasks::{ClosureCb, IOAction, IOCallback, IOEvent};
use io_engine::{Buffer, Driver, IOContext, resubmit};
use machine::{DEADLINE, drivers, numbered_file, within_deadline};

mod machine;

type Context<C> = IOContext<C, Receiver<IOEvent<C>>>;
type Ends = Arc<Mutex<Option<Context<Endless>>>>;

fn read<C: IOCallback>(file: &Arc<File>) -> IOEvent<C> {
    let buffer = Buffer::aligned(4096).expect("memory");
    IOEvent::new(file, buffer, IOAction::Read, 0)
}

/// With its callbacks on a worker, or inline.
fn context<C: IOCallback>(
    driver: Driver,
    workers: bool,
    depth: usize,
    rx: Receiver<IOEvent<C>>,
) -> Context<C> {
    let ctx = match workers {
        true => IOContext::new(depth, rx, &IOWorkers::new(1), driver),
        false => IOContext::new(depth, rx, &Inline, driver),
    };
    ctx.expect("a context")
}

/// Hands one event over from each callback, until it is refused; ends the context if it is given it.
struct Endless {
    file: Arc<File>,
    ends: Ends,
    refused: Sender<()>,
}

impl IOCallback for Endless {
    fn call(self, _: IOEvent<Self>) {
        drop(self.ends.lock().expect("no holder panics").take());
        let refused = self.refused.clone();
        let mut next = read(&self.file);
        next.set_callback(self);
        if resubmit(next).is_err() {
            refused.send(()).expect("the test listens");
        }
    }
}

/// A context without a sender that callbacks keep going, and what tells that they were refused.
fn kept_going(driver: Driver, workers: bool) -> (Context<Endless>, Ends, Receiver<()>) {
    let (file, ends) = (numbered_file(1), Arc::default());
    let (tx, rx) = bounded(4);
    let (refused, told) = bounded(1);
    let ctx = context(driver, workers, 4, rx);
    let mut event = read(&file);
    event.set_callback(Endless {
        file,
        ends: Arc::clone(&ends),
        refused,
    });
    tx.send(event).expect("the context lives");
    drop(tx);
    // Until the context has seen that nobody sends.
    let _ = after(Duration::from_millis(20)).recv();
    (ctx, ends, told)
}

#[test]
fn without_senders_a_callback_can_still_end_its_context() {
    for driver in drivers() {
        for workers in [false, true] {
            let (ctx, ends, refused) = kept_going(driver, workers);
            *ends.lock().unwrap() = Some(ctx);
            let told = refused.recv_timeout(DEADLINE);
            assert_eq!(told, Ok(()), "{driver}, workers: {workers}");
        }
    }
}

#[test]
fn without_senders_a_deadline_gives_up_nothing_that_is_answered() {
    for driver in drivers() {
        for workers in [false, true] {
            let (ctx, _, refused) = kept_going(driver, workers);
            let ended = ctx.shutdown_timeout(DEADLINE);
            assert_eq!(ended, Ok(()), "{driver}, workers: {workers}");
            assert_eq!(refused.try_recv(), Ok(()));
        }
    }
}

#[test]
fn a_context_that_its_own_thread_is_left_with_ends_with_it() {
    thread_local! {
        static LEFT: RefCell<Option<(Context<ClosureCb>, Sender<()>)>> = const { RefCell::new(None) };
    }
    for driver in drivers() {
        let file = numbered_file(1);
        let (tx, rx) = bounded(1);
        let (hand_over, handed_over) = bounded(1);
        let (ends, has_ended) = bounded::<()>(0);
        let ctx = IOContext::new(1, rx, &Inline, driver).unwrap();
        let mut event = read(&file);
        event.set_callback(ClosureCb::new(move |_| {
            let ctx = handed_over.recv().expect("the test hands it over");
            LEFT.set(Some((ctx, ends)));
        }));
        tx.send(event).unwrap();
        hand_over.send(ctx).unwrap();
        drop(tx);
        let told = has_ended.recv_timeout(DEADLINE);
        assert_eq!(told, Err(RecvTimeoutError::Disconnected), "{driver}");
    }
}

/// Sends a write for each read.
struct Copies {
    tx: Sender<IOEvent<Self>>,
    /// `None` is a write.
    file: Option<Arc<File>>,
    called: Arc<AtomicUsize>,
}

impl IOCallback for Copies {
    fn call(self, event: IOEvent<Self>) {
        self.called.fetch_add(1, Ordering::SeqCst);
        let Some(file) = self.file else {
            event.get_write_result().expect("room on the disk");
            return;
        };
        let bytes = event.get_read_result().expect("the file has a block");
        let mut write = IOEvent::new(file, bytes, IOAction::Write, 0);
        write.set_callback(Self {
            tx: self.tx.clone(),
            file: None,
            called: self.called,
        });
        self.tx.send(write).expect("the context lives");
    }
}

/// Other senders take the room that was made for a callback, and still it goes on.
#[test]
fn callbacks_that_send_get_on_among_other_senders() {
    const READS: usize = 80;
    for driver in drivers() {
        for workers in [false, true] {
            within_deadline("callbacks that send among other senders", move || {
                let (file, called) = (numbered_file(1), Arc::<AtomicUsize>::default());
                let (tx, rx) = bounded(2);
                let ctx = context(driver, workers, 2, rx);
                thread::scope(|scope| {
                    for _ in 0..3 {
                        scope.spawn(|| {
                            for _ in 0..READS {
                                let mut event = read(&file);
                                event.set_callback(Copies {
                                    tx: tx.clone(),
                                    file: Some(Arc::clone(&file)),
                                    called: Arc::clone(&called),
                                });
                                tx.send(event).unwrap();
                            }
                        });
                    }
                });
                while called.load(Ordering::SeqCst) < 2 * 3 * READS {
                    let _ = after(Duration::from_millis(1)).recv();
                }
                ctx.shutdown().unwrap();
            });
        }
    }
}

#[test]
fn slow_callbacks_do_not_open_the_bounds_of_a_plain_channel() {
    const SLOW: Duration = Duration::from_millis(20);
    let (file, called) = (numbered_file(1), Arc::<AtomicUsize>::default());
    let (tx, rx) = bounded(1);
    let ctx = IOContext::new(1, rx, &Inline, Driver::Threads).unwrap();
    let began = Instant::now();
    let (mut sent, mut most) = (0, 0);
    while began.elapsed() < 100 * SLOW {
        let (mut event, counts) = (read(&file), Arc::clone(&called));
        event.set_callback(ClosureCb::new(move |_| {
            let _ = after(SLOW).recv();
            counts.fetch_add(1, Ordering::SeqCst);
        }));
        tx.send(event).unwrap();
        sent += 1;
        most = most.max(sent - called.load(Ordering::SeqCst));
    }
    ctx.shutdown().unwrap();
    assert!(most <= 100, "{most} at once behind a channel of one");
    assert!(sent > 20, "{sent} in all");
}
