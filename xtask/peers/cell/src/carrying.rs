//! The loop of a task that carries one slot.

use std::io;

use super::slot::{Op, Slot};

/// Carries out one operation of the slot after the other, until the run is over.
///
/// `carry_out` gets the buffer and gives it back, so that none is allocated on the way.
pub async fn keep_busy<B>(
    mut slot: Slot,
    mut buffer: B,
    carry_out: impl AsyncFn(Op, B) -> (io::Result<usize>, B),
) {
    loop {
        let (moved, returned) = carry_out(slot.begin(), buffer).await;
        if !slot.end(moved) {
            return;
        }
        buffer = returned;
    }
}

/// Waits for all tasks.
pub async fn all_done<T>(tasks: impl IntoIterator<Item = T>)
where
    T: Future,
{
    let tasks: Vec<T> = tasks.into_iter().collect();
    for task in tasks {
        task.await;
    }
}
