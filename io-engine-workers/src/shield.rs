//! Keeping a thread alive, whatever foreign code does.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `foreign`. `None` if it panicked; `what` names it in the log.
pub(crate) fn shielded<R>(what: &'static str, foreign: impl FnOnce() -> R) -> Option<R> {
    // Nothing that the panic left half done is looked at again: the caller gets no value.
    match catch_unwind(AssertUnwindSafe(foreign)) {
        Ok(value) => Some(value),
        Err(payload) => {
            // Dropping the payload may panic once more, so it is given up.
            std::mem::forget(payload);
            tracing::error!(what, "a panic was caught");
            None
        }
    }
}
