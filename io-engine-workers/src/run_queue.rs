//! What the threads of a pool wait for: a queue with one lock per batch.

use std::collections::VecDeque;
use std::sync::PoisonError;

use io_engine_core::sync::{Condvar, Mutex};

/// Work for a few threads, which sleep while there is none.
///
/// Bounded by what is put in: at most as many items as there are seats or requests.
pub(crate) struct RunQueue<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
}

struct State<T> {
    items: VecDeque<T>,
    /// Threads in `next` that have found nothing and let go of the lock.
    sleepers: usize,
    closed: bool,
}

impl<T> RunQueue<T> {
    /// An empty queue that holds `capacity` items without allocating.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self {
            state: Mutex::new(State {
                items: VecDeque::with_capacity(capacity),
                sleepers: 0,
                closed: false,
            }),
            filled: Condvar::new(),
        }
    }

    /// Appends all of `items` under one lock and wakes as many sleepers as there are items.
    pub(crate) fn push_all(&self, items: impl Iterator<Item = T>) {
        let wake_count = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let before = state.items.len();
            state.items.extend(items);
            // A thread that is awake looks at the queue before it sleeps, so only those asleep
            // now have to be told.
            state.sleepers.min(state.items.len() - before)
        };
        for _ in 0..wake_count {
            self.filled.notify_one();
        }
    }

    /// Takes the first item; sleeps until there is one. `None` when closed and empty.
    pub(crate) fn next(&self) -> Option<T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(item) = state.items.pop_front() {
                return Some(item);
            }
            if state.closed {
                return None;
            }
            state.sleepers += 1;
            state = self
                .filled
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            state.sleepers -= 1;
        }
    }

    /// Puts `item` at the end and takes the first: `item` itself if nobody else waits.
    pub(crate) fn exchange(&self, item: T) -> T {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.items.pop_front() {
            Some(first) => {
                state.items.push_back(item);
                first
            }
            None => item,
        }
    }

    /// How many items are inside.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn len(&self) -> usize {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.items.len()
    }

    /// Lets the threads go once they have taken what is still inside.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.closed = true;
        drop(state);
        self.filled.notify_all();
    }

    /// Lets the threads go now and gives back what none of them has taken.
    pub(crate) fn close_and_take(&self) -> VecDeque<T> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.closed = true;
        let left = std::mem::take(&mut state.items);
        drop(state);
        self.filled.notify_all();
        left
    }
}
