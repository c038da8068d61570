//! A simulated backend, driven as the event loop drives one.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use io_engine_core::sim::{SimBackend, SimDisk};
use io_engine_core::{
    Answered, Backend, Completion, IOAction, IOCallback, IOEvent, MergedEvents, Request, Wait,
    deliver,
};

pub(crate) struct Reply(SyncSender<IOEvent<Self>>);

impl IOCallback for Reply {
    fn call(self, event: IOEvent<Self>) {
        self.0.send(event).expect("the bench listens");
    }
}

pub(crate) struct SimBench {
    pub(crate) disk: SimDisk,
    pub(crate) backend: SimBackend<Reply>,
    replies: (SyncSender<IOEvent<Reply>>, Receiver<IOEvent<Reply>>),
}

impl SimBench {
    pub(crate) fn new(seed: u64) -> Self {
        let disk = SimDisk::new(seed);
        Self {
            backend: SimBackend::new(&disk, 16),
            disk,
            replies: sync_channel(64),
        }
    }

    /// Carries out one event, short transfers to their end.
    pub(crate) fn perform(&mut self, event: IOEvent<Reply>) -> IOEvent<Reply> {
        self.perform_all(vec![event]).remove(0)
    }

    /// Carries out `events` at once, at most 16; in the order in which they finish.
    pub(crate) fn perform_all(&mut self, events: Vec<IOEvent<Reply>>) -> Vec<IOEvent<Reply>> {
        let count = events.len();
        for mut event in events {
            event.set_callback(Reply(self.replies.0.clone()));
            self.backend.push_event(event).expect("there is room");
        }
        self.run();
        (0..count)
            .map(|_| self.replies.1.try_recv().expect("called back"))
            .collect()
    }

    /// Carries out `events` as one run.
    pub(crate) fn perform_run(&mut self, mut events: Vec<IOEvent<Reply>>) -> Vec<IOEvent<Reply>> {
        let count = events.len();
        for event in &mut events {
            event.set_callback(Reply(self.replies.0.clone()));
        }
        let merged = MergedEvents::new(events).expect("a run");
        let request = Request::from(IOEvent::from_merged(merged));
        self.backend.push(request).expect("there is room");
        self.run();
        let mut events: Vec<_> = (0..count)
            .map(|_| self.replies.1.try_recv().expect("called back"))
            .collect();
        events.sort_by_key(IOEvent::offset);
        events
    }

    pub(crate) fn run(&mut self) {
        let mut done = Vec::new();
        while self.backend.in_flight() > 0 {
            let driven = self.backend.drive_lazily(Wait::For(1), &mut done);
            driven.expect("the queue is not broken");
            let (mut finished, mut again) = (Vec::new(), Vec::new());
            for completion in done.drain(..) {
                completion.settle(&mut finished, &mut again);
            }
            self.take_kept(&mut finished, &mut again);
            for event in finished {
                deliver(event).expect("no panic in a callback");
            }
            for request in again {
                self.backend.push(request).expect("there is room");
            }
        }
    }

    fn take_kept(&mut self, finished: &mut Vec<IOEvent<Reply>>, again: &mut Vec<Request<Reply>>) {
        while let Some(answer) = self.backend.next_answer() {
            match answer {
                Answered::Whole(ticket) => finished.push(self.backend.take_whole(ticket)),
                Answered::Other(completion) => Completion::settle(completion, finished, again),
            }
        }
    }
}

pub(crate) fn errno<T: std::fmt::Debug>(result: io::Result<T>) -> i32 {
    let error = result.expect_err("it must fail");
    error.raw_os_error().expect("an errno")
}

pub(crate) fn read(
    file: impl Into<io_engine_core::FileHandle>,
    offset: i64,
    len: usize,
) -> IOEvent<Reply> {
    IOEvent::new(file, vec![0xee; len].into(), IOAction::Read, offset)
}

pub(crate) fn write(
    file: impl Into<io_engine_core::FileHandle>,
    offset: i64,
    bytes: &[u8],
) -> IOEvent<Reply> {
    IOEvent::new(file, bytes.to_vec().into(), IOAction::Write, offset)
}
