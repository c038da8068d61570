//! Going on with another driver where a sandbox forbids io_uring in mid-life.

use std::io;
use std::sync::Arc;

use io_engine_core::{Backend, Completion, IOCallback};

use crate::driver::Kernel;

impl<C: IOCallback> Kernel<C> {
    /// A drive has failed with `error`, and everything that was inside is in `done`, from `before` on. If
    /// that is because the ring is forbidden, another driver takes its place and what was not carried
    /// out.
    #[cold]
    pub(crate) fn go_on_without_ring(
        &mut self,
        error: io::Error,
        before: usize,
        done: &mut Vec<Completion<C>>,
    ) -> io::Result<()> {
        let Self::Routed(carried, report) = self else {
            return Err(error);
        };
        if !carried.queue().is_forbidden() {
            return Err(error);
        }
        let report = Arc::clone(report);
        let Some((successor, driver)) = Self::taking_over(carried.capacity(), &carried.waker())
        else {
            return Err(error);
        };
        let reason = format!("io_uring was forbidden after the start: {error}");
        tracing::warn!(%driver, reason, "another driver has taken over");
        report.succeed(driver, reason);
        *self = successor;
        for completion in done.extract_if(before.., |one| one.is_not_carried_out()) {
            let pushed = self.push(completion.into_request());
            pushed.expect("there is room for as many as there were");
        }
        Ok(())
    }
}
