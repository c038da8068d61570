//! What a worker thread does all day.

use std::sync::Arc;

use io_engine_core::block_signals_in_this_thread;
use io_engine_core::sync::{AtomicU64, Ordering};

use crate::run_queue::RunQueue;
use crate::this_thread::{self, Identity};

/// What the workers of a pool share with its handles.
pub(crate) struct Shared {
    /// Each entry is a seat at its lane, so there are at most threads times lanes.
    pub(crate) lanes: RunQueue<Arc<dyn LaneRun>>,
    pub(crate) panics: PanicCount,
}

impl Shared {
    pub(crate) fn identity(&self) -> Identity {
        Identity::of(self)
    }
}

/// Callbacks that panicked.
pub(crate) struct PanicCount(AtomicU64);

impl PanicCount {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    pub(crate) fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A lane as the workers see it, whatever its callbacks are.
pub(crate) trait LaneRun: Send + Sync {
    /// Calls the callbacks of a bounded number of events. Needs a seat, and gives it up with
    /// [`Turn::Left`].
    fn run_seated(&self, panics: &PanicCount) -> Turn;
}

/// How a worker's turn at a lane ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The lane was empty, and the seat is free.
    Left,
    /// There may be more, and the seat is still taken.
    Stays,
}

/// Runs lanes until the queue is closed and empty.
pub(crate) fn work(shared: &Shared) {
    block_signals_in_this_thread();
    this_thread::join_pool(shared.identity());
    while let Some(mut lane) = shared.lanes.next() {
        while lane.run_seated(&shared.panics) == Turn::Stays {
            lane = shared.lanes.exchange(lane);
        }
    }
}
