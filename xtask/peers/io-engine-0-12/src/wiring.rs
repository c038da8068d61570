//! The ways to start io-engine 0.12: who calls back, and what the channels are.

use std::io;
use std::thread;

use crossfire::{BlockingRxTrait, Rx, Tx, spsc};
use io_engine_published::{Driver, InlineClosure, Worker, setup};

use crate::event::{Event, Events, Finished, Ticket};

/// Where events go in.
pub(crate) type Submitter = Tx<spsc::Array<Event>>;

/// Where finished ones go.
pub(crate) type Done = Tx<spsc::Array<Finished>>;

/// Starts a driver for so many I/Os in flight.
pub(crate) type Start = fn(Driver, usize, Done) -> io::Result<Submitter>;

/// How a slot came to its end.
pub(crate) type Ended = Rx<spsc::Array<anyhow::Result<()>>>;

/// The thread that reaps calls back.
pub(crate) fn inline(driver: Driver, depth: usize, done: Done) -> io::Result<Submitter> {
    let (submitter, events) = spsc::bounded_blocking(depth);
    let callback = move |ticket, _, result| tell(&done, Finished { ticket, result });
    start(driver, depth, events, InlineClosure(Box::new(callback)))?;
    Ok(submitter)
}

/// A thread behind a channel calls back.
pub(crate) fn one_worker(driver: Driver, depth: usize, done: Done) -> io::Result<Submitter> {
    let (submitter, events) = spsc::bounded_blocking(depth);
    let (reaped, to_call_back) = spsc::bounded_blocking(depth);
    start(driver, depth, events, reaped)?;
    thread::spawn(move || call_back(&to_call_back, &done));
    Ok(submitter)
}

/// The thread that reaps calls back, and each callback sends the next event of its slot.
///
/// The callback holds the way in, so that the threads last as long as the process.
pub(crate) fn resubmitting(
    driver: Driver,
    depth: usize,
    first: Vec<Event>,
    events: Events,
) -> io::Result<Ended> {
    let (submitter, submitted) = spsc::bounded_blocking(depth);
    let (end, ended) = spsc::bounded_blocking(depth);
    for event in first {
        tell(&submitter, event);
    }
    let callback =
        move |ticket, _, result| match events.next(Finished { ticket, result }).transpose() {
            Some(Ok(event)) => tell(&submitter, event),
            Some(Err(error)) => tell(&end, Err(error)),
            None => tell(&end, Ok(())),
        };
    start(driver, depth, submitted, InlineClosure(Box::new(callback)))?;
    Ok(ended)
}

fn start(
    driver: Driver,
    depth: usize,
    events: impl BlockingRxTrait<Event> + Send + 'static,
    worker: impl Worker<Ticket>,
) -> io::Result<()> {
    let slots = match driver {
        // With no slot free its AIO thread spins, and holds back what it has collected.
        Driver::Aio => depth.saturating_mul(2),
        Driver::Uring => depth,
    };
    setup(slots, events, worker, driver)
}

fn call_back(reaped: &Rx<spsc::Array<Event>>, done: &Done) {
    while let Ok(event) = reaped.recv() {
        event.callback_unchecked(|ticket, _, result| tell(done, Finished { ticket, result }));
    }
}

/// The other side leaves once the last slot is at its end; then nobody is left to tell.
fn tell<T: Send + 'static>(other_side: &Tx<spsc::Array<T>>, news: T) {
    let _ = other_side.send(news);
}
