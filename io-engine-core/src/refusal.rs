//! A refusal that gives the goods back.

use std::error::Error;
use std::fmt;

/// There is no room; what was handed over comes back.
///
/// ```
/// use io_engine_core::Full;
///
/// let Full(event) = Full("the event");
/// assert_eq!(event, "the event");
/// ```
#[must_use = "it holds what was refused"]
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Full<T>(pub T);

impl<T> Full<T> {
    /// What was refused.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for Full<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Full(..)")
    }
}

impl<T> fmt::Display for Full<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the queue is full: as many requests as its depth allows are inside; wait for a completion and hand it over again")
    }
}

impl<T> Error for Full<T> {}
