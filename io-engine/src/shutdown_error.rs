//! How a shutdown with a deadline can end.

use std::error::Error;
use std::fmt;
use std::io;

/// Why a shutdown with a deadline has not ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ShutdownError {
    /// The device had not answered so many events. Their callbacks have been called, with an error of
    /// kind `BrokenPipe`; what the kernel may still write to is leaked.
    StillInFlight(usize),
    /// A thread of the engine is held up in a call that does not return, or a callback is. It goes on
    /// by itself once that returns: what is inside then gets its callbacks, and nothing is freed before.
    HeldUp,
    /// A thread of the engine has panicked; the log has its message.
    Panicked,
}

impl fmt::Display for ShutdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StillInFlight(events) => write!(
                f,
                "{events} events were still in flight at the deadline of the shutdown; their callbacks have got an error, and the memory that the kernel may still use is leaked"
            ),
            Self::HeldUp => f.write_str(
                "a thread of the engine or a callback was held up beyond the deadline of the shutdown; it goes on by itself when its call returns",
            ),
            Self::Panicked => f.write_str("a thread of the engine has panicked; the log has its message"),
        }
    }
}

impl Error for ShutdownError {}

impl From<ShutdownError> for io::Error {
    fn from(error: ShutdownError) -> Self {
        let kind = match error {
            ShutdownError::StillInFlight(_) | ShutdownError::HeldUp => io::ErrorKind::TimedOut,
            ShutdownError::Panicked => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}
