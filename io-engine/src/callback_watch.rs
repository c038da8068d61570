//! Whether callbacks of a context run, and whether they get on.

use io_engine_core::sync::{AtomicBool, AtomicUsize, Ordering};

/// What the threads that call callbacks tell of them.
///
/// How many have begun is counted only while somebody watches: without that, a callback costs one load
/// of a line that nobody writes.
#[derive(Debug)]
pub(crate) struct CallbackWatch {
    /// Threads that run callbacks of the context right now.
    running: AtomicUsize,
    is_watched: AtomicBool,
    begun: AtomicUsize,
}

/// Counts its thread among those that run callbacks, until it is dropped.
#[must_use]
pub(crate) struct RunningCallbacks<'a>(&'a AtomicUsize);

impl Drop for RunningCallbacks<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl CallbackWatch {
    pub(crate) fn new() -> Self {
        Self {
            running: AtomicUsize::new(0),
            is_watched: AtomicBool::new(false),
            begun: AtomicUsize::new(0),
        }
    }

    /// Around a batch of callbacks, on the thread that calls them.
    pub(crate) fn run(&self) -> RunningCallbacks<'_> {
        self.running.fetch_add(1, Ordering::Relaxed);
        RunningCallbacks(&self.running)
    }

    /// Before each callback, on the thread that calls it.
    #[inline]
    pub(crate) fn begin_one(&self) {
        if self.is_watched.load(Ordering::Relaxed) {
            self.begun.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether some thread runs callbacks of the context right now.
    pub(crate) fn are_running(&self) -> bool {
        self.running.load(Ordering::Relaxed) > 0
    }

    /// From now on callbacks are counted, or not.
    pub(crate) fn watch(&self, is_watched: bool) {
        self.is_watched.store(is_watched, Ordering::Relaxed);
    }

    /// How many callbacks have begun while they were counted.
    pub(crate) fn begun(&self) -> usize {
        self.begun.load(Ordering::Relaxed)
    }
}
