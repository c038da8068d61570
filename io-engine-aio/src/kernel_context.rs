//! An AIO context of the kernel, owned: made with advice where that fails, ended on drop.
#![allow(
    unsafe_code,
    reason = "hands the promise of io_submit on to its caller"
)]

use std::fs;
use std::io;
use std::time::Duration;

use io_engine_core::StartError;
use rustix::io::Errno;

use crate::control_block::{ControlBlock, KernelEvent};
use crate::syscall::{self, ContextId};

/// What the queue needs of a kernel; in tests a scripted one.
pub(crate) trait Kernel: Send {
    /// Hands over the blocks behind `batch`, in order, and says how many were accepted. The error
    /// is that of the first one; then none was accepted. An empty batch asks whether the kernel
    /// still takes anything.
    ///
    /// # Safety
    /// Each pointer leads to a block that nobody else uses during the call. What a block refers to
    /// stays allocated, in place and untouched until its event has been reaped or
    /// [`close`](Self::close) has succeeded.
    unsafe fn submit(&self, batch: &mut [*mut ControlBlock]) -> Result<usize, Errno>;

    /// Waits for at least `min` events, not longer than `timeout`, and says how many were written
    /// to the start of `events`.
    fn reap(
        &self,
        min: usize,
        events: &mut [KernelEvent],
        timeout: Option<Duration>,
    ) -> Result<usize, Errno>;

    /// Returns when the kernel has let go of every request. Calls after a success do nothing.
    fn close(&mut self) -> Result<(), Errno>;

    /// Leaves the kernel's side as it is until the process ends, without waiting for anything; there
    /// is nothing left to [close](Self::close) then.
    fn leave(&mut self);
}

/// The context; `None` once it was ended.
#[derive(Debug)]
pub(crate) struct KernelContext(Option<ContextId>);

impl KernelContext {
    /// A context that takes `depth` requests and the doorbell.
    pub(crate) fn open(depth: usize) -> Result<Self, StartError> {
        let entries = u32::try_from(depth + 1).unwrap_or(u32::MAX);
        match syscall::io_setup(entries) {
            Ok(id) => Ok(Self(Some(id))),
            Err(errno) => Err(setup_error(errno, depth)),
        }
    }

    fn id(&self) -> Result<ContextId, Errno> {
        self.0.ok_or(Errno::INVAL)
    }
}

impl Kernel for KernelContext {
    unsafe fn submit(&self, batch: &mut [*mut ControlBlock]) -> Result<usize, Errno> {
        let id = self.id()?;
        // SAFETY: the caller's promise is the one that io_submit asks for. A successful close is
        // io_destroy, which returns when the kernel has let go.
        unsafe { syscall::io_submit(id, batch) }
    }

    fn reap(
        &self,
        min: usize,
        events: &mut [KernelEvent],
        timeout: Option<Duration>,
    ) -> Result<usize, Errno> {
        syscall::io_getevents(self.id()?, min, events, timeout)
    }

    fn close(&mut self) -> Result<(), Errno> {
        if let Some(id) = self.0 {
            syscall::io_destroy(id)?;
            self.0 = None;
        }
        Ok(())
    }

    fn leave(&mut self) {
        self.0 = None;
    }
}

impl Drop for KernelContext {
    fn drop(&mut self) {
        if let Err(errno) = self.close() {
            tracing::error!(%errno, "io_destroy failed; the AIO context stays until the process ends");
        }
    }
}

/// The advice for an `io_setup` that failed.
fn setup_error(errno: Errno, depth: usize) -> StartError {
    let advice = match errno {
        Errno::AGAIN => budget_advice(depth),
        Errno::NOSYS | Errno::PERM | Errno::ACCESS => SANDBOX_ADVICE.to_owned(),
        Errno::NOMEM => format!(
            "the kernel has no memory for a queue of {depth} requests; ask for a smaller depth, or raise the memory limit of the process or its cgroup"
        ),
        _ => format!("depth {depth}; no known remedy"),
    };
    StartError::new("io_setup", errno.into(), advice)
}

const SANDBOX_ADVICE: &str = "native AIO is not available here: a sandbox (seccomp, container profile) forbids it, or the kernel was built without CONFIG_AIO; allow io_setup, io_submit, io_getevents and io_destroy, or use another driver";

fn budget_advice(depth: usize) -> String {
    let entries = depth + 1;
    let read = |name: &str| {
        let text = fs::read_to_string(format!("/proc/sys/fs/{name}")).ok()?;
        text.trim().parse::<usize>().ok()
    };
    let (max, used) = (read("aio-max-nr"), read("aio-nr"));
    let shown = |number: Option<usize>| number.map_or("unknown".to_owned(), |n| n.to_string());
    let needed = used.unwrap_or(0).saturating_add(entries);
    let enough = needed.max(max.unwrap_or(0) + 1).max(1 << 20);
    format!(
        "depth {depth} needs {entries} of fs.aio-max-nr, which is {} for the whole system, with {} in use (fs.aio-nr); raise it with `sysctl -w fs.aio-max-nr={}`, or ask for a smaller depth",
        shown(max),
        shown(used),
        enough.next_power_of_two(),
    )
}

/// The advice for an eventfd that could not be made.
pub(crate) fn doorbell_error(cause: io::Error) -> StartError {
    let advice = match Errno::from_io_error(&cause) {
        Some(Errno::MFILE) => {
            "the process has no file descriptor left for the doorbell: RLIMIT_NOFILE, raise it with `ulimit -n`, or close files"
        }
        Some(Errno::NFILE) => {
            "the system has no file descriptor left for the doorbell: raise it with `sysctl -w fs.file-max=…`"
        }
        _ => "the doorbell needs eventfd(2)",
    };
    StartError::new("eventfd", cause, advice)
}

/// The advice for a first call that failed on a context that could be made.
pub(crate) fn first_call_error(failed: &'static str, errno: Errno) -> StartError {
    let advice = match errno {
        Errno::NOSYS | Errno::PERM | Errno::ACCESS => SANDBOX_ADVICE,
        Errno::INVAL => {
            "the doorbell needs IOCB_CMD_POLL, which Linux has from 4.19 on; use a newer kernel or another driver"
        }
        _ => "no known remedy; use another driver",
    };
    StartError::new(failed, errno.into(), advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn aio_max_nr() -> usize {
        let text = fs::read_to_string("/proc/sys/fs/aio-max-nr").unwrap();
        text.trim().parse().unwrap()
    }

    #[test]
    fn a_context_beyond_the_budget_names_the_sysctl_its_values_and_the_remedy() {
        let max = aio_max_nr();
        let error = KernelContext::open(max).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EAGAIN));
        let text = error.to_string();
        for part in [
            &format!("depth {max} needs {} of fs.aio-max-nr", max + 1),
            &format!("which is {max} "),
            "in use (fs.aio-nr)",
            "sysctl -w fs.aio-max-nr=",
        ] {
            assert!(text.contains(part), "{part:?} is not in {text:?}");
        }
    }

    #[test]
    fn the_budget_that_is_advised_suffices() {
        let text = budget_advice(5_000_000);
        let (_, number) = text.split_once("sysctl -w fs.aio-max-nr=").unwrap();
        let (number, _) = number.split_once('`').unwrap();
        assert!(number.parse::<usize>().unwrap() > 5_000_001);
    }

    #[test]
    fn a_closed_context_takes_nothing_and_closes_again() {
        let mut context = KernelContext::open(1).unwrap();
        context.close().unwrap();
        let events = &mut [KernelEvent::default(); 1];
        assert_eq!(context.reap(0, events, None), Err(Errno::INVAL));
        // SAFETY: an empty batch leads to no block.
        let answer = unsafe { context.submit(&mut []) };
        assert_eq!(answer, Err(Errno::INVAL));
        context.close().unwrap();
    }

    #[test]
    fn every_refusal_has_its_own_advice() {
        let advice = |errno| setup_error(errno, 8).advice().to_owned();
        assert!(advice(Errno::NOSYS).contains("CONFIG_AIO"));
        assert!(advice(Errno::PERM).contains("seccomp"));
        assert!(advice(Errno::NOMEM).contains("memory"));
        let text = doorbell_error(Errno::MFILE.into()).to_string();
        assert!(text.contains("RLIMIT_NOFILE"), "{text}");
        let text = first_call_error("io_submit", Errno::INVAL).to_string();
        assert!(text.contains("4.19"), "{text}");
    }
}
