//! Going on with another driver where a sandbox forbids io_uring in mid-life.

use std::io;
use std::sync::Arc;

use io_engine_core::{Backend, Completion, IOCallback};

use crate::driver::Kernel;

impl<C: IOCallback> Kernel<C> {
    /// A drive has failed, and everything that was in the ring is in `done`, from `before` on. If that is
    /// because the ring is forbidden, another driver takes its place, what was not carried out, and the
    /// calls under way elsewhere: nothing is waited for, as one of them may hang.
    #[cold]
    pub(crate) fn go_on_without_ring(
        &mut self,
        driven: io::Result<()>,
        before: usize,
        done: &mut Vec<Completion<C>>,
    ) -> io::Result<()> {
        let Self::Routed(carried, report) = self else {
            return driven;
        };
        if !carried.queue().is_forbidden() {
            return driven;
        }
        let error = driven.as_ref().err().or(carried.cut_off());
        let error = error.map_or_else(String::new, io::Error::to_string);
        let reason = format!("io_uring was forbidden after the start: {error}");
        let report = Arc::clone(report);
        let Some((successor, driver)) = Self::taking_over(carried) else {
            return driven;
        };
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
