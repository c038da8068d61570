//! The suite's own callback: it counts.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::callback::IOCallback;
use crate::event::IOEvent;

/// The callback type of the suite. Each one tells a shared log when it is called, and when it is
/// dropped without a call.
pub struct Probe {
    id: u64,
    log: Arc<Log>,
    called: bool,
}

impl IOCallback for Probe {
    fn call(mut self, event: IOEvent<Self>) {
        self.called = true;
        let mut records = self.log.lock();
        assert!(
            records.inside.remove(&self.id).is_some(),
            "event {} came back twice",
            self.id
        );
        records.finished.insert(self.id, event);
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        if !self.called {
            let mut records = self.log.lock();
            records.inside.remove(&self.id);
            records.dropped += 1;
        }
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Probe").field(&self.id).finish()
    }
}

/// What has become of the events of one case.
#[derive(Default)]
pub(super) struct Log {
    records: Mutex<Records>,
}

#[derive(Default)]
struct Records {
    issued: u64,
    /// Handed over, not yet called back: what each is about.
    inside: BTreeMap<u64, String>,
    finished: BTreeMap<u64, IOEvent<Probe>>,
    dropped: usize,
}

impl Log {
    /// Gives `event` a callback of its own and returns the number to ask for it by.
    pub(super) fn attach(self: &Arc<Self>, event: &mut IOEvent<Probe>) -> u64 {
        let id = {
            let mut records = self.lock();
            let id = records.issued;
            records.issued += 1;
            records.inside.insert(id, format!("{event:?}"));
            id
        };
        event.set_callback(Probe {
            id,
            log: Arc::clone(self),
            called: false,
        });
        id
    }

    /// The event whose callback was called, once.
    pub(super) fn take(&self, id: u64) -> Option<IOEvent<Probe>> {
        self.lock().finished.remove(&id)
    }

    /// All events whose callbacks were called since the last time.
    pub(super) fn take_all(&self) -> BTreeMap<u64, IOEvent<Probe>> {
        std::mem::take(&mut self.lock().finished)
    }

    /// What was handed over and neither called back nor dropped, at most a few of it in words.
    pub(super) fn still_inside(&self) -> (usize, String) {
        let records = self.lock();
        let some: Vec<&str> = records
            .inside
            .values()
            .take(5)
            .map(String::as_str)
            .collect();
        (records.inside.len(), some.join("; "))
    }

    /// How many callbacks were dropped without a call.
    pub(super) fn dropped(&self) -> usize {
        self.lock().dropped
    }

    fn lock(&self) -> MutexGuard<'_, Records> {
        // A case that failed in a callback is reported as that failure, not as a poisoned lock.
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
