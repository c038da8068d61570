//! What a sender has handed over and has no answer for yet. The watchdog looks into it as well.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::operation::Operation;

/// An event without an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    pub(crate) number: usize,
    pub(crate) operation: Operation,
    /// The file had at least so many bytes when it was handed over.
    pub(crate) len_min: usize,
}

/// All of a sender.
#[derive(Debug, Default)]
pub(crate) struct Table(Mutex<Vec<Pending>>);

impl Table {
    pub(crate) fn add(&self, pending: Pending) {
        self.lock().push(pending);
    }

    pub(crate) fn take(&self, number: usize) -> Option<Pending> {
        let mut all = self.lock();
        let index = all.iter().position(|pending| pending.number == number)?;
        Some(all.swap_remove(index))
    }

    pub(crate) fn take_all(&self) -> Vec<Pending> {
        std::mem::take(&mut self.lock())
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether anything under way keeps `operation` from being handed over.
    pub(crate) fn excludes(&self, operation: &Operation) -> bool {
        let all = self.lock();
        all.iter()
            .any(|pending| pending.operation.excludes(operation))
    }

    /// What is outstanding, for people.
    pub(crate) fn outstanding(&self) -> Vec<Pending> {
        let mut all = self.lock().clone();
        all.sort_by_key(|pending| pending.number);
        all
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Pending>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
