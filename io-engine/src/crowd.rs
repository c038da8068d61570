//! How many loops there are for the processors: a loop that spins takes one from somebody.

use std::num::NonZero;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;

/// Loops on threads of their own, in this process.
static LOOPS: AtomicUsize = AtomicUsize::new(0);

/// Counts a loop for as long as it lives.
#[derive(Debug)]
pub(crate) struct Crowd(());

impl Crowd {
    pub(crate) fn join() -> Self {
        LOOPS.fetch_add(1, Ordering::Relaxed);
        Self(())
    }

    /// Whether there are more threads than processors, if each loop has one sender.
    pub(crate) fn is_dense(&self) -> bool {
        static PROCESSORS: OnceLock<usize> = OnceLock::new();
        let processors =
            *PROCESSORS.get_or_init(|| available_parallelism().map_or(1, NonZero::get));
        2 * LOOPS.load(Ordering::Relaxed) > processors
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        LOOPS.fetch_sub(1, Ordering::Relaxed);
    }
}
