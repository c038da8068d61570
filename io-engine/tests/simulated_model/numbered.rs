//! Callbacks that are told apart and counted.

use std::sync::{Arc, Mutex};

use io_engine::tasks::{IOCallback, IOEvent};

/// What has become of the callbacks.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) finished: Vec<(u64, IOEvent<Numbered>)>,
    pub(crate) dropped: Vec<u64>,
}

/// A callback that is told apart, and that tells when it is dropped without a call.
pub(crate) struct Numbered {
    number: u64,
    log: Arc<Mutex<Log>>,
    was_called: bool,
}

impl Numbered {
    pub(crate) fn new(number: u64, log: &Arc<Mutex<Log>>) -> Self {
        Self {
            number,
            log: Arc::clone(log),
            was_called: false,
        }
    }
}

impl IOCallback for Numbered {
    fn call(mut self, event: IOEvent<Self>) {
        self.was_called = true;
        let finished = (self.number, event);
        self.log.lock().unwrap().finished.push(finished);
    }
}

impl Drop for Numbered {
    fn drop(&mut self) {
        if !self.was_called {
            self.log.lock().unwrap().dropped.push(self.number);
        }
    }
}
