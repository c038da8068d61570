//! Calling a callback, and outliving its panic.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::callback::IOCallback;
use crate::event::IOEvent;

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
pub fn deliver<C: IOCallback>(mut event: IOEvent<C>) -> Result<(), CallbackPanicked> {
    let Some(callback) = event.take_callback() else {
        if let Err(error) = event.get_result() {
            tracing::warn!(%error, ?event, "an event without a callback failed");
        }
        // Its memory may be of the caller's making (`Bytes::from_owner`), and panic in `drop`.
        return caught(|| drop(event));
    };
    caught(|| callback.call(event))
}

/// What runs is moved in, so nothing that a panic left half done is seen.
fn caught(run: impl FnOnce()) -> Result<(), CallbackPanicked> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        tracing::error!(message = panic_message(&*panic), "a callback panicked");
        // What was thrown may panic once more when it is dropped; what that throws is left alone.
        if let Err(once_more) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
            std::mem::forget(once_more);
        }
        CallbackPanicked
    })
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(no message)")
}
