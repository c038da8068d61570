//! What the current thread is doing, so that it never waits for itself.

use std::cell::{Cell, RefCell};

/// The pool that a thread works for, or the lane it runs, by address: unique while it is in use.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity(usize);

impl Identity {
    pub(crate) fn of<T>(object: &T) -> Self {
        Self(std::ptr::from_ref(object).addr())
    }
}

thread_local! {
    static POOL: Cell<Option<Identity>> = const { Cell::new(None) };
    /// A stack: a callback may wait for another lane and run that lane's events meanwhile.
    static LANES: RefCell<Vec<Identity>> = const { RefCell::new(Vec::new()) };
}

/// Makes this thread one of `pool`, for the rest of its life.
pub(crate) fn join_pool(pool: Identity) {
    POOL.set(Some(pool));
}

/// Whether this thread is one of `pool`.
pub(crate) fn belongs_to(pool: Identity) -> bool {
    // The thread-local may be gone at the end of a thread; then no callback is running.
    POOL.try_with(|mine| mine.get() == Some(pool))
        .unwrap_or(false)
}

/// Marks `lane` as being run by this thread until the guard is dropped.
#[must_use]
pub(crate) fn run_lane(lane: Identity) -> Running {
    // At the end of a thread there may be nowhere left to note it.
    let _ = LANES.try_with(|lanes| lanes.borrow_mut().push(lane));
    Running
}

/// Whether a callback of `lane` is running on this thread.
pub(crate) fn is_running(lane: Identity) -> bool {
    LANES
        .try_with(|lanes| lanes.borrow().contains(&lane))
        .unwrap_or(false)
}

pub(crate) struct Running;

impl Drop for Running {
    fn drop(&mut self) {
        let _ = LANES.try_with(|lanes| lanes.borrow_mut().pop());
    }
}
