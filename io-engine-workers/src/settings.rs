//! What can be chosen about a [`BlockingBackend`](crate::BlockingBackend).

use io_engine_core::{StartError, check_depth};

/// Depth and threads of a [`BlockingBackend`](crate::BlockingBackend).
///
/// ```
/// use io_engine_workers::BlockingSettings;
///
/// assert_eq!(BlockingSettings::with_depth(64).thread_count(), 4);
/// assert_eq!(BlockingSettings::with_depth(64).threads(16).thread_count(), 16);
/// assert_eq!(BlockingSettings::with_depth(2).thread_count(), 2);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockingSettings {
    depth: usize,
    threads: usize,
}

/// Calls at once by default. Files in memory are served by one or two threads; a disk is kept busy
/// by four, while more threads than processors cost memory and switches everywhere else. Those
/// with a fast disk and no kernel interface for it ask for more.
const THREADS_DEFAULT: usize = 4;

impl BlockingSettings {
    /// Room for `depth` requests, from 1 to [`DEPTH_MAX`](io_engine_core::DEPTH_MAX), and a thread
    /// for each, but no more than four.
    #[must_use]
    pub fn with_depth(depth: usize) -> Self {
        Self {
            depth,
            threads: THREADS_DEFAULT,
        }
    }

    /// How many threads make calls, each one at a time: from 1 on. More than `depth` are not
    /// started, as they would never have anything to do.
    #[must_use]
    pub fn threads(self, threads: usize) -> Self {
        Self { threads, ..self }
    }

    /// The depth.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// How many threads are started.
    #[must_use]
    pub fn thread_count(&self) -> usize {
        self.threads.min(self.depth)
    }

    pub(crate) fn check(self) -> Result<(), StartError> {
        check_depth(self.depth)?;
        if self.threads > 0 {
            return Ok(());
        }
        let cause = std::io::Error::new(std::io::ErrorKind::InvalidInput, "0 threads");
        Err(StartError::new(
            "no thread for the blocking backend",
            cause,
            "ask for at least 1 thread",
        ))
    }
}
