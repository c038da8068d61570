//! Events on real files, carried out to their end.
#![allow(dead_code, reason = "not every test binary uses all of it")]

use std::fs::File;
use std::sync::Arc;

use io_engine_core::{Backend, Buffer, IOAction, IOEvent, Request, Wait};
use io_engine_workers::{BlockingBackend, BlockingSettings};

pub(crate) type Blocking = BlockingBackend<()>;

pub(crate) fn backend(depth: usize) -> Blocking {
    Blocking::new(BlockingSettings::with_depth(depth)).unwrap()
}

pub(crate) fn temporary() -> Arc<File> {
    Arc::new(tempfile::tempfile().unwrap())
}

pub(crate) fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..len).map(next).collect()
}

pub(crate) fn read(file: &Arc<File>, len: usize, offset: i64) -> IOEvent<()> {
    IOEvent::new(file, Buffer::from(vec![0; len]), IOAction::Read, offset)
}

pub(crate) fn write(file: &Arc<File>, bytes: Vec<u8>, offset: i64) -> IOEvent<()> {
    IOEvent::new(file, Buffer::from(bytes), IOAction::Write, offset)
}

/// Carries everything out to its end, short transfers included.
pub(crate) fn carry_out(backend: &mut Blocking, events: Vec<IOEvent<()>>) -> Vec<IOEvent<()>> {
    for event in events {
        backend.push(Request::from(event)).expect("there is room");
    }
    let (mut done, mut finished, mut again) = (Vec::new(), Vec::new(), Vec::new());
    while backend.in_flight() > 0 {
        backend.drive(Wait::For(1), &mut done).unwrap();
        for completion in done.drain(..) {
            completion.settle(&mut finished, &mut again);
        }
        for request in again.drain(..) {
            backend.push(request).expect("its place is free");
        }
    }
    finished
}

pub(crate) fn carry_out_one(backend: &mut Blocking, event: IOEvent<()>) -> IOEvent<()> {
    let mut finished = carry_out(backend, vec![event]);
    assert_eq!(finished.len(), 1);
    finished.remove(0)
}

/// The one event at `offset`.
pub(crate) fn at(finished: &[IOEvent<()>], offset: i64) -> &IOEvent<()> {
    let mut found = finished.iter().filter(|event| event.offset() == offset);
    let event = found.next().expect("it finished");
    assert!(found.next().is_none(), "it finished once");
    event
}
