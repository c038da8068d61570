//! How many events are on their way, and waiting until there are none.

use std::sync::PoisonError;

use io_engine_core::sync::{AtomicUsize, Condvar, Mutex, Ordering, fence};

/// Counts what is outstanding. Counting takes no lock while nobody waits.
///
/// On cache lines of its own: the loop adds while the workers subtract.
#[repr(align(128))]
pub(crate) struct IdleLatch {
    outstanding: AtomicUsize,
    waiters: AtomicUsize,
    gate: Mutex<()>,
    changed: Condvar,
}

impl IdleLatch {
    pub(crate) fn new() -> Self {
        Self {
            outstanding: AtomicUsize::new(0),
            waiters: AtomicUsize::new(0),
            gate: Mutex::new(()),
            changed: Condvar::new(),
        }
    }

    pub(crate) fn outstanding(&self) -> usize {
        self.outstanding.load(Ordering::Acquire)
    }

    /// Before `count` events can be seen by a worker.
    pub(crate) fn add(&self, count: usize) {
        self.outstanding.fetch_add(count, Ordering::Relaxed);
    }

    /// After `count` of them are done with; everything done for them is seen by who waits.
    pub(crate) fn subtract(&self, count: usize) {
        if self.outstanding.fetch_sub(count, Ordering::AcqRel) == count {
            self.nudge();
        }
    }

    /// Makes everyone who waits look again, at the count and at what may interrupt the wait.
    pub(crate) fn nudge(&self) {
        fence(Ordering::SeqCst);
        if self.waiters.load(Ordering::Relaxed) > 0 {
            // Who waits has either not looked yet or sleeps on the condition by now.
            drop(self.gate.lock().unwrap_or_else(PoisonError::into_inner));
            self.changed.notify_all();
        }
    }

    /// Sleeps until nothing is outstanding or `is_interrupted`, which is asked after each nudge.
    pub(crate) fn wait(&self, is_interrupted: impl Fn() -> bool) {
        let mut gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        self.waiters.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        while self.outstanding() != 0 && !is_interrupted() {
            gate = self
                .changed
                .wait(gate)
                .unwrap_or_else(PoisonError::into_inner);
        }
        self.waiters.fetch_sub(1, Ordering::Relaxed);
    }
}
