//! Callbacks that are told apart, tell what has become of them, and hand over the next event.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use io_engine::resubmit;
use io_engine::tasks::{IOCallback, IOEvent};

/// What has become of the callbacks since it was looked at.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) finished: Vec<(u64, IOEvent<Numbered>)>,
    /// Handed over by a callback, and taken.
    pub(crate) handed_over: Vec<u64>,
    /// Handed over by a callback, and not taken.
    pub(crate) refused: Vec<u64>,
    /// Dropped without a call.
    pub(crate) dropped: Vec<u64>,
}

/// Where the callbacks write.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Told>>);

impl Log {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Told> {
        // What panicked while it was held is reported as that panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn take(&self) -> Told {
        std::mem::take(&mut self.lock())
    }
}

/// A callback.
pub(crate) struct Numbered {
    number: u64,
    log: Log,
    next: Option<Box<IOEvent<Self>>>,
    was_called: bool,
}

impl Numbered {
    /// `next` is what it hands over, whose number is one more.
    pub(crate) fn leading_to(next: Option<IOEvent<Self>>, number: u64, log: &Log) -> Self {
        Self {
            number,
            log: log.clone(),
            next: next.map(Box::new),
            was_called: false,
        }
    }
}

impl IOCallback for Numbered {
    fn call(mut self, event: IOEvent<Self>) {
        self.was_called = true;
        self.log.lock().finished.push((self.number, event));
        let Some(next) = self.next.take() else {
            return;
        };
        let number = self.number + 1;
        match resubmit(*next) {
            Ok(()) => self.log.lock().handed_over.push(number),
            Err(refused) => {
                self.log.lock().refused.push(number);
                // Its callback tells that it is dropped, and so do those that it would have led to.
                drop(refused.into_inner());
            }
        }
    }
}

impl Drop for Numbered {
    fn drop(&mut self) {
        if !self.was_called {
            self.log.lock().dropped.push(self.number);
        }
    }
}
