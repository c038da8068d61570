//! Events that nobody will carry out any more: their callbacks are called, with an error.

use io_engine_core::{Completion, IOCallback, IOEvent, Request};

/// Ends each event with an error of kind `BrokenPipe` and calls its callback, on this thread.
pub(crate) fn end_unsent<C: IOCallback>(events: Vec<IOEvent<C>>) {
    if events.is_empty() {
        return;
    }
    tracing::error!(
        count = events.len(),
        "merged events could not be sent and end with an error"
    );
    for event in events {
        Completion::queue_closed(Request::from(event)).finish();
    }
}
