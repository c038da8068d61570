//! Why a backend could not start, and what to do about it.

use std::fmt;
use std::io;

/// The deepest queue that a backend accepts.
///
/// The submission queue of a ring ends at 32768 entries, one of which is the doorbell's. The other
/// backends keep to the same limit, so that `depth` has one range everywhere.
pub const DEPTH_MAX: usize = 32_767;

/// A backend that could not start: the cause, and the remedy.
///
/// Its text is complete in one line: what failed, the kernel's answer, the limit at work and how
/// to change it.
#[derive(Debug)]
pub struct StartError {
    failed: &'static str,
    cause: io::Error,
    advice: String,
}

impl StartError {
    /// `failed` names the step, `cause` is the kernel's answer, `advice` the remedy.
    #[must_use]
    pub fn new(failed: &'static str, cause: io::Error, advice: impl Into<String>) -> Self {
        Self {
            failed,
            cause,
            advice: advice.into(),
        }
    }

    /// What the kernel answered.
    #[must_use]
    pub fn cause(&self) -> &io::Error {
        &self.cause
    }

    /// The kind of the cause.
    #[must_use]
    pub fn kind(&self) -> io::ErrorKind {
        self.cause.kind()
    }

    /// The errno of the cause, if the kernel gave one.
    #[must_use]
    pub fn raw_os_error(&self) -> Option<i32> {
        self.cause.raw_os_error()
    }

    /// What to change so that it starts.
    #[must_use]
    pub fn advice(&self) -> &str {
        &self.advice
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.failed, self.cause, self.advice)
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

impl From<StartError> for io::Error {
    fn from(error: StartError) -> Self {
        Self::new(error.kind(), error)
    }
}

/// Accepts a depth from 1 to [`DEPTH_MAX`].
///
/// # Errors
/// A [`StartError`] of kind `InvalidInput` that names the depth given and the range.
pub fn check_depth(depth: usize) -> Result<usize, StartError> {
    if (1..=DEPTH_MAX).contains(&depth) {
        return Ok(depth);
    }
    let cause = io::Error::new(io::ErrorKind::InvalidInput, format!("depth {depth}"));
    Err(StartError::new(
        "queue depth out of range",
        cause,
        format!("a depth is from 1 to {DEPTH_MAX} requests in flight"),
    ))
}
