//! Catching events that a foreign queue throws away when it is closed.
//!
//! A channel that is dropped drops what is still inside. For a channel that the engine consumes,
//! an event may have been accepted by `send` an instant before: it must be served all the same.
//! [`dropped_events`] runs the closing and hands back every event that was dropped by it.

use std::any::Any;
use std::cell::RefCell;

use crate::callback::IOCallback;
use crate::event::IOEvent;

thread_local! {
    static COLLECTORS: RefCell<Vec<Box<dyn Any>>> = const { RefCell::new(Vec::new()) };
}

struct Collector<C: IOCallback>(Vec<IOEvent<C>>);

/// Runs `close` and returns the unfinished events that were dropped on this thread by it.
///
/// ```
/// use io_engine_core::{Buffer, IOAction, IOEvent, dropped_events};
///
/// let (tx, rx) = std::sync::mpsc::channel();
/// let mut event = IOEvent::new(0, Buffer::aligned(4096)?, IOAction::Read, 8192);
/// event.set_callback(());
/// tx.send(event).unwrap();
///
/// let rescued = dropped_events::<()>(|| drop(rx));
/// assert_eq!(rescued[0].offset(), 8192);
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "the events in it have not been served"]
pub fn dropped_events<C: IOCallback>(close: impl FnOnce()) -> Vec<IOEvent<C>> {
    COLLECTORS.with_borrow_mut(|all| all.push(Box::new(Collector::<C>(Vec::new()))));
    let unwinding = EndOnUnwind;
    close();
    std::mem::forget(unwinding);
    COLLECTORS
        .with_borrow_mut(Vec::pop)
        .and_then(|collector| collector.downcast::<Collector<C>>().ok())
        .map(|collector| collector.0)
        .unwrap_or_default()
}

/// Ends the innermost collection when its closing panics: it would go on for ever otherwise.
struct EndOnUnwind;

impl Drop for EndOnUnwind {
    fn drop(&mut self) {
        let collector = COLLECTORS.with_borrow_mut(Vec::pop);
        // Outside the borrow: its events are offered to the collection around this one.
        drop(collector);
    }
}

/// Called when an unfinished event is dropped: keeps it if this thread collects.
pub(crate) fn offer<C: IOCallback>(event: &mut IOEvent<C>) {
    // The thread-local may be gone at the end of a thread; then nobody collects.
    let _ = COLLECTORS.try_with(|all| {
        if let Ok(mut all) = all.try_borrow_mut()
            && let Some(collector) = all.iter_mut().rev().find_map(|collector| {
                // The innermost one for this type: a collection for another type hides nothing.
                collector.downcast_mut::<Collector<C>>()
            })
        {
            collector.0.push(event.take());
        }
    });
}
