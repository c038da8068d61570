//! A kernel that answers as it is told.
#![allow(
    unsafe_code,
    reason = "reads the control blocks as the kernel would, through the raw pointers"
)]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use io_engine_core::Ticket;
use rustix::io::Errno;

use crate::control_block::{ControlBlock, KernelEvent};
use crate::kernel_context::Kernel;

/// What it is told, and what it has seen.
#[derive(Default)]
pub(crate) struct Script {
    /// The answers of the next submissions; then each is accepted whole.
    pub(crate) submissions: VecDeque<Result<usize, Errno>>,
    /// The errors of the next looks for answers; then they succeed.
    pub(crate) reap_errors: VecDeque<Errno>,
    /// Keeps what it has, so that nothing is finished.
    pub(crate) holds: bool,
    /// The doorbell is answered at the next look.
    pub(crate) rings: bool,
    pub(crate) refuses_to_close: bool,
    pub(crate) batch_sizes: Vec<usize>,
    pub(crate) accepted: Vec<ControlBlock>,
    /// How long each look for answers was to take at most.
    pub(crate) timeouts: Vec<Option<Duration>>,
    pub(crate) finished_count: usize,
    pub(crate) closed: bool,
    pub(crate) left: bool,
}

#[derive(Clone, Default)]
pub(crate) struct ScriptedKernel(Arc<Mutex<Script>>);

impl ScriptedKernel {
    /// The answer to a sleep that nothing would end; breaks the queue.
    const WOULD_SLEEP_FOR_EVER: Errno = Errno::DEADLK;

    pub(crate) fn script(&self) -> MutexGuard<'_, Script> {
        // A test that failed with the lock held must still be able to drop its queue.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn answers_next(&self, answers: impl IntoIterator<Item = Result<usize, Errno>>) {
        self.script().submissions.extend(answers);
    }

    /// The accepted requests, as file offsets, without the doorbell.
    pub(crate) fn accepted_offsets(&self) -> Vec<u64> {
        let script = self.script();
        let requests = script.accepted.iter().filter(|block| !is_doorbell(block));
        requests.map(ControlBlock::offset).collect()
    }
}

pub(crate) fn is_doorbell(block: &ControlBlock) -> bool {
    block.user_data() == Ticket::DOORBELL.to_user_data()
}

impl Kernel for ScriptedKernel {
    unsafe fn submit(&self, batch: &mut [*mut ControlBlock]) -> Result<usize, Errno> {
        let mut script = self.script();
        script.batch_sizes.push(batch.len());
        let accepted = script.submissions.pop_front().unwrap_or(Ok(batch.len()))?;
        for block in &batch[..accepted.min(batch.len())] {
            // SAFETY: the caller promises blocks that nobody else uses during the call.
            script.accepted.push(unsafe { block.read() });
        }
        Ok(accepted.min(batch.len()))
    }

    fn reap(
        &self,
        min: usize,
        events: &mut [KernelEvent],
        timeout: Option<Duration>,
    ) -> Result<usize, Errno> {
        let mut script = self.script();
        script.timeouts.push(timeout);
        if let Some(errno) = script.reap_errors.pop_front() {
            return Err(errno);
        }
        let mut count = 0;
        while count < events.len() && !script.holds && script.finished_count < script.accepted.len()
        {
            let block = script.accepted[script.finished_count];
            script.finished_count += 1;
            if !is_doorbell(&block) {
                events[count] = KernelEvent::of(block.user_data(), block.count().cast_signed());
                count += 1;
            }
        }
        if std::mem::take(&mut script.rings) {
            events[count] = KernelEvent::of(Ticket::DOORBELL.to_user_data(), 1);
            count += 1;
        }
        if count < min && timeout.is_none() {
            // No panic: it may come from a drop during one, and would end the process.
            return Err(Self::WOULD_SLEEP_FOR_EVER);
        }
        Ok(count)
    }

    fn close(&mut self) -> Result<(), Errno> {
        let mut script = self.script();
        if script.left {
            return Ok(());
        }
        if script.refuses_to_close {
            return Err(Errno::PERM);
        }
        script.closed = true;
        Ok(())
    }

    fn leave(&mut self) {
        self.script().left = true;
    }
}
