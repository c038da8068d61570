//! A refusal on the way in, which gives the event back.

use std::error::Error;
use std::fmt;

/// What was handed over and not taken; it comes back.
#[must_use = "it holds what was refused"]
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SubmitError<T> {
    /// There is no room now.
    Full(T),
    /// Nobody takes events here, now or later.
    Closed(T),
}

impl<T> SubmitError<T> {
    /// What was refused.
    pub fn into_inner(self) -> T {
        match self {
            Self::Full(refused) | Self::Closed(refused) => refused,
        }
    }

    /// Whether trying again later can help.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }

    pub(crate) fn map<U>(self, change: impl FnOnce(T) -> U) -> SubmitError<U> {
        match self {
            Self::Full(refused) => SubmitError::Full(change(refused)),
            Self::Closed(refused) => SubmitError::Closed(change(refused)),
        }
    }
}

impl<T> fmt::Debug for SubmitError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::Closed(_) => "Closed(..)",
        })
    }
}

impl<T> fmt::Display for SubmitError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "the queue is full; hand the event over again when a callback has been called",
            Self::Closed(_) => "no loop takes events here: its context is shut down, or this thread runs none for this callback type",
        })
    }
}

impl<T> Error for SubmitError<T> {}
