//! How many workers are at a lane, without ever leaving an event behind.

use io_engine_core::sync::{AtomicUsize, Ordering, fence};

/// The seats at one lane: a worker takes events only while it holds one.
///
/// The danger is the moment in which a worker has found the lane empty while the loop puts an
/// event in and sees the worker's seat still taken. Both sides publish first and look second, with
/// a sequentially consistent fence between, so at least one of them sees what the other did.
pub(crate) struct Seats {
    taken: AtomicUsize,
    limit: usize,
}

impl Seats {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            taken: AtomicUsize::new(0),
            limit,
        }
    }

    /// After `wanted` events were put in: takes up to that many seats, to be given to workers.
    ///
    /// A worker in a long callback keeps its seat, so every delivery asks for seats of its own.
    pub(crate) fn claim(&self, wanted: usize) -> usize {
        fence(Ordering::SeqCst);
        let mut taken = self.taken.load(Ordering::Relaxed);
        loop {
            let more = wanted.min(self.limit - taken);
            if more == 0 {
                return 0;
            }
            match self.taken.compare_exchange_weak(
                taken,
                taken + more,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return more,
                Err(now) => taken = now,
            }
        }
    }

    /// After the lane was found empty: gives one seat up, unless an event has come meanwhile that
    /// nobody else would see. Says whether the worker may go.
    pub(crate) fn leave(&self, is_empty: impl FnOnce() -> bool) -> bool {
        self.taken.fetch_sub(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        // With every seat taken again, each holder looks once more before it leaves.
        is_empty() || self.claim(1) == 0
    }
}
