//! Events that can be told apart: each has a number, which its callback writes down.

use std::io::ErrorKind;
use std::os::fd::RawFd;
use std::sync::{Arc, Mutex};

use io_engine_core::{Buffer, IOAction, IOCallback, IOEvent, deliver};

/// A number that no open file has.
pub(crate) const FD: RawFd = 1_000_000;

/// The calls of the callbacks, in order.
#[derive(Clone, Default)]
pub(crate) struct Journal(Arc<Mutex<Vec<Called>>>);

pub(crate) struct Called {
    pub(crate) id: usize,
    pub(crate) event: IOEvent<Tag>,
}

pub(crate) struct Tag {
    id: usize,
    journal: Journal,
}

impl IOCallback for Tag {
    fn call(self, event: IOEvent<Self>) {
        let Self { id, journal } = self;
        journal.0.lock().unwrap().push(Called { id, event });
    }
}

impl Called {
    pub(crate) fn result(&self) -> Result<usize, ErrorKind> {
        self.event.get_result().map_err(|error| error.kind())
    }
}

impl Journal {
    pub(crate) fn tag(&self, id: usize, mut event: IOEvent<Tag>) -> IOEvent<Tag> {
        let journal = self.clone();
        event.set_callback(Tag { id, journal });
        event
    }

    pub(crate) fn write(&self, id: usize, offset: i64, len: usize) -> IOEvent<Tag> {
        let buffer = Buffer::from(vec![0; len]);
        self.tag(id, IOEvent::new(FD, buffer, IOAction::Write, offset))
    }

    /// Takes the calls so far.
    pub(crate) fn take(&self) -> Vec<Called> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// The numbers of `events`, found by calling their callbacks.
    pub(crate) fn ids(&self, events: impl IntoIterator<Item = IOEvent<Tag>>) -> Vec<usize> {
        let before = self.take();
        assert!(before.is_empty(), "nobody else has called a callback");
        for event in events {
            deliver(event).unwrap();
        }
        self.take().iter().map(|called| called.id).collect()
    }
}
