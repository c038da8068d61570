//! One side sleeps until a count is reached; the others ring only if it said so.

use io_engine_core::sync::{AtomicUsize, Ordering, fence};

/// What a sleeper waits for: 0 while it is awake, else the count that is worth waking it for.
///
/// The sleeper announces, then counts once more, then sleeps. The others add, then look at the
/// announcement. The fences make sure that one of the two sees the other.
pub(crate) struct Announcement {
    wanted: AtomicUsize,
}

impl Announcement {
    pub(crate) fn new() -> Self {
        Self {
            wanted: AtomicUsize::new(0),
        }
    }

    /// The sleeper's side: announces and counts again. With `true` it may sleep and will be rung;
    /// with `false` there are `wanted` already, and nothing is announced.
    #[must_use]
    pub(crate) fn announce(&self, wanted: usize, count: impl FnOnce() -> usize) -> bool {
        self.wanted.store(wanted, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if count() < wanted {
            return true;
        }
        self.withdraw();
        false
    }

    /// The sleeper's side: awake again, for whatever reason.
    pub(crate) fn withdraw(&self) {
        self.wanted.store(0, Ordering::Relaxed);
    }

    /// The other side, after it has added to the count: whether to ring. `true` for one caller per
    /// announcement.
    #[must_use]
    pub(crate) fn is_reached(&self, count: impl FnOnce() -> usize) -> bool {
        fence(Ordering::SeqCst);
        let wanted = self.wanted.load(Ordering::Relaxed);
        // An exchange that fails has met a newer announcement, whose maker counted after the
        // fence above and so saw what was added; or someone else who rings.
        wanted != 0
            && count() >= wanted
            && self
                .wanted
                .compare_exchange(wanted, 0, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }
}
