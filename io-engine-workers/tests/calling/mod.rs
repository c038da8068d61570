//! Events that do something when they are called, and workers that are busy.
#![allow(dead_code, reason = "not every test binary uses all of it")]

use std::sync::mpsc::{Receiver, Sender, channel};

use io_engine_core::{ClosureCb, IOEvent};
use io_engine_workers::Lane;

use crate::deadline::DEADLINE;

/// An event whose callback is `callback`.
pub(crate) fn calling(callback: impl FnOnce() + Send + 'static) -> IOEvent<ClosureCb> {
    let mut event = IOEvent::sync(-1);
    event.set_callback(ClosureCb::new(move |_| callback()));
    event
}

/// An event whose callback sends `value`.
pub(crate) fn sending<T: Send + 'static>(value: T, to: &Sender<T>) -> IOEvent<ClosureCb> {
    let to = to.clone();
    calling(move || to.send(value).unwrap())
}

/// Occupies one worker until the sender is used or dropped; returns once it is occupied.
pub(crate) fn occupy(lane: &Lane<ClosureCb>) -> Sender<()> {
    let (release, gate) = channel::<()>();
    let (tx, started) = channel();
    lane.deliver(&mut vec![calling(move || {
        tx.send(()).unwrap();
        let _ = gate.recv_timeout(DEADLINE);
    })]);
    started.recv_timeout(DEADLINE).unwrap();
    release
}

pub(crate) fn receive<T>(rx: &Receiver<T>, count: usize) -> Vec<T> {
    let next = |_| rx.recv_timeout(DEADLINE).expect("a callback is missing");
    (0..count).map(next).collect()
}
