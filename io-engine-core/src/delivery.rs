//! Calling a callback, and outliving its panic.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::backend::Answered;
use crate::callback::IOCallback;
use crate::completion::Completion;
use crate::event::IOEvent;
use crate::in_flight::Ticket;

/// A callback panicked. The panic was caught and logged; its event went with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallbackPanicked;

impl fmt::Display for CallbackPanicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a callback panicked; the log has its message")
    }
}

impl std::error::Error for CallbackPanicked {}

/// Calls the callback of a finished event. Without one, a failure is logged and the event dropped.
///
/// # Errors
/// [`CallbackPanicked`], after logging the message through `tracing`, so that the caller counts it.
pub fn deliver<C: IOCallback>(event: IOEvent<C>) -> Result<(), CallbackPanicked> {
    caught(|| call(event))
}

/// What [`deliver_all`] has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    /// Requests that were answered.
    pub answered: usize,
    /// Callbacks called, the panicked ones among them; events without one count too.
    pub called: usize,
    /// Callbacks that have panicked.
    pub panics: u64,
}

/// What [`deliver_all`] serves: a loop, between two turns.
pub trait Serves<C: IOCallback> {
    /// The next answer, in order; `None` when there is none left.
    fn next_answer(&mut self) -> Option<Answered<C>>;

    /// Takes the callback of the event that [`next_answer`](Self::next_answer) has just called whole; `None` if
    /// the event brings it along, or has none.
    fn take_callback(&mut self, ticket: Ticket) -> Option<C>;

    /// Takes the event that [`next_answer`](Self::next_answer) has just called whole.
    fn take_whole(&mut self, ticket: Ticket) -> IOEvent<C>;

    /// Settles what is not plainly whole: appends the events that have ended to `finished`, as
    /// [`Completion::settle`] or [`Completion::settle_reporting`] does.
    fn settle(&mut self, completion: Completion<C>, finished: &mut Vec<IOEvent<C>>);

    /// Before each callback.
    fn before_callback(&mut self);
}

/// Takes one answer after the other and calls the callbacks of the events that are at their end.
///
/// `finished` is empty before and after; it is kept by the caller for its memory.
///
/// # Panics
/// If `served` does: only what a callback throws is caught.
pub fn deliver_all<C: IOCallback>(
    served: &mut impl Serves<C>,
    finished: &mut Vec<IOEvent<C>>,
) -> Delivered {
    let mut delivered = Delivered::default();
    let mut is_over = false;
    while !is_over {
        let mut calls_back = false;
        // A panic is caught around all that are left: to be ready for one costs as much as a small
        // callback, and an event that is moved into a closure is copied.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            // What a panic has left of a run.
            deliver_finished(served, finished, &mut delivered, &mut calls_back);
            loop {
                // Looked into where it is returned: under a name of its own it would be copied.
                match served.next_answer() {
                    None => break,
                    Some(Answered::Whole(ticket)) => {
                        delivered.answered += 1;
                        delivered.called += 1;
                        served.before_callback();
                        call_whole(served, ticket, &mut calls_back);
                        calls_back = false;
                    }
                    Some(Answered::Other(completion)) => {
                        delivered.answered += 1;
                        served.settle(completion, finished);
                        // Taken from the end, in order.
                        finished.reverse();
                        deliver_finished(served, finished, &mut delivered, &mut calls_back);
                    }
                }
            }
            is_over = true;
        }));
        match outcome {
            Ok(()) => {}
            Err(panic) if calls_back => {
                report_panic(panic);
                delivered.panics += 1;
            }
            Err(panic) => resume_unwind(panic),
        }
    }
    delivered
}

/// The event is taken where it is handed over: a name for it would be a copy of it.
#[inline(always)]
fn call_whole<C: IOCallback>(served: &mut impl Serves<C>, ticket: Ticket, calls_back: &mut bool) {
    match served.take_callback(ticket) {
        Some(callback) => callback.call(take_to_call(served, ticket, calls_back)),
        None => call(take_to_call(served, ticket, calls_back)),
    }
}

/// From here on a panic is the callback's.
#[inline(always)]
fn take_to_call<C: IOCallback>(
    served: &mut impl Serves<C>,
    ticket: Ticket,
    calls_back: &mut bool,
) -> IOEvent<C> {
    let event = served.take_whole(ticket);
    *calls_back = true;
    event
}

/// One by one from the end, so that what is left is still there after a panic.
fn deliver_finished<C: IOCallback>(
    served: &mut impl Serves<C>,
    finished: &mut Vec<IOEvent<C>>,
    delivered: &mut Delivered,
    calls_back: &mut bool,
) {
    while let Some(event) = finished.pop() {
        delivered.called += 1;
        served.before_callback();
        *calls_back = true;
        call(event);
        *calls_back = false;
    }
}

#[inline]
fn call<C: IOCallback>(mut event: IOEvent<C>) {
    match event.take_callback() {
        Some(callback) => callback.call(event),
        None => drop_unheard(event),
    }
}

/// Its memory may be of the caller's making (`Bytes::from_owner`), and panic in `drop`.
#[cold]
fn drop_unheard<C: IOCallback>(event: IOEvent<C>) {
    if let Err(error) = event.get_result() {
        tracing::warn!(%error, ?event, "an event without a callback failed");
    }
    drop(event);
}

/// Drops what may panic in `drop`, in the midst of what has to come to its end.
#[cold]
pub(crate) fn drop_shielded<C: IOCallback>(event: IOEvent<C>) {
    // Nobody is told but the log: no callback was called.
    let _ = caught(|| drop(event));
}

/// What runs is moved in, so nothing that a panic left half done is seen.
fn caught(run: impl FnOnce()) -> Result<(), CallbackPanicked> {
    catch_unwind(AssertUnwindSafe(run)).map_err(report_panic)
}

#[cold]
fn report_panic(panic: Box<dyn Any + Send>) -> CallbackPanicked {
    tracing::error!(message = panic_message(&*panic), "a callback panicked");
    // What was thrown may panic once more when it is dropped; what that throws is left alone.
    if let Err(once_more) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        std::mem::forget(once_more);
    }
    CallbackPanicked
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(no message)")
}
