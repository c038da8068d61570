//! What this machine offers to the tests, and what they have in common.
#![allow(dead_code, reason = "each test program uses a part of it")]

pub(crate) mod allocator;
pub(crate) mod child;
pub(crate) mod disk;
pub(crate) mod engine;
pub(crate) mod sandbox;

use std::collections::HashMap;
use std::fs::File;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use io_engine::tasks::{IOCallback, IOEvent};
use io_engine::{Driver, EventLoop};
use io_engine_core::conformance::require_or_skip;

/// After this a wait counts as a hang.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// The drivers that start here. The others are printed as skipped, or fail the test where
/// `REQUIRE_DRIVERS` names them.
pub(crate) fn drivers() -> Vec<Driver> {
    let mut usable = Vec::new();
    for (driver, name) in [
        (Driver::Uring, "uring"),
        (Driver::Aio, "aio"),
        (Driver::Threads, "threads"),
    ] {
        match EventLoop::<()>::new(1, driver) {
            Ok(_) => usable.push(driver),
            Err(reason) => require_or_skip(name, &reason),
        }
    }
    usable
}

/// A file of `blocks` blocks of 4096 bytes, each filled with its number.
pub(crate) fn numbered_file(blocks: u8) -> Arc<File> {
    use std::os::unix::fs::FileExt;
    let file = tempfile::tempfile().expect("a temporary file");
    for block in 0..blocks {
        file.write_all_at(&[block; 4096], u64::from(block) * 4096)
            .expect("room on the disk");
    }
    Arc::new(file)
}

/// What came back, by the id of the event. A second callback for an id is a failure at once.
#[derive(Clone, Default)]
pub(crate) struct Ledger {
    entries: Arc<(Mutex<HashMap<u64, Outcome>>, Condvar)>,
}

/// What the callback saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Bytes, and the first byte of the buffer if there is one.
    Done(usize, Option<u8>),
    Failed(std::io::ErrorKind),
}

impl Ledger {
    pub(crate) fn callback(&self, id: u64) -> Enter {
        Enter {
            id,
            ledger: self.clone(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.0.lock().expect("no holder panics").len()
    }

    pub(crate) fn get(&self, id: u64) -> Option<Outcome> {
        self.entries
            .0
            .lock()
            .expect("no holder panics")
            .get(&id)
            .cloned()
    }

    pub(crate) fn count_done(&self) -> usize {
        let entries = self.entries.0.lock().expect("no holder panics");
        entries
            .values()
            .filter(|outcome| matches!(outcome, Outcome::Done(..)))
            .count()
    }

    /// Waits until `count` callbacks have been called.
    pub(crate) fn wait_for(&self, count: usize) {
        let deadline = Instant::now() + DEADLINE;
        let (entries, changed) = &*self.entries;
        let mut entries = entries.lock().expect("no holder panics");
        while entries.len() < count {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "a hang: {} of {count} callbacks were called",
                entries.len()
            );
            (entries, _) = changed
                .wait_timeout(entries, left)
                .expect("no holder panics");
        }
    }

    pub(crate) fn enter(&self, id: u64, event: &IOEvent<Enter>) {
        let outcome = match event.get_result() {
            Ok(bytes) => Outcome::Done(
                bytes,
                event.buffer().and_then(|buffer| buffer.first().copied()),
            ),
            Err(error) => Outcome::Failed(error.kind()),
        };
        let (entries, changed) = &*self.entries;
        let before = entries
            .lock()
            .expect("no holder panics")
            .insert(id, outcome);
        assert_eq!(before, None, "event {id} got a second callback");
        changed.notify_all();
    }
}

/// Enters the outcome of one event into the ledger.
pub(crate) struct Enter {
    id: u64,
    ledger: Ledger,
}

impl IOCallback for Enter {
    fn call(self, event: IOEvent<Self>) {
        self.ledger.enter(self.id, &event);
    }
}

/// Runs `body` on a thread and fails if it takes longer than the deadline.
pub(crate) fn within_deadline(what: &str, body: impl FnOnce() + Send + 'static) {
    let (tell, told) = crossbeam_channel::bounded(1);
    let thread = std::thread::spawn(move || {
        body();
        let _ = tell.send(());
    });
    let finished = told.recv_timeout(DEADLINE);
    if finished == Err(crossbeam_channel::RecvTimeoutError::Timeout) {
        panic!("a hang: {what}");
    }
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}
