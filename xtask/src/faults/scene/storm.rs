//! Signals to whichever thread takes them, which end sleeps in the kernel early.
#![allow(
    unsafe_code,
    reason = "a handler and an interval timer have no safe interface"
)]

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

static HEARD: AtomicU64 = AtomicU64::new(0);

/// Signals are heeded and counted; on their way until it ends.
#[derive(Debug)]
pub(super) struct Storm(());

impl Storm {
    /// One each so many microseconds; with 0 they come from elsewhere.
    pub(super) fn begin(every_microseconds: u32) -> anyhow::Result<Self> {
        // Without SA_RESTART, so that the calls that can be interrupted are.
        let action = SigAction::new(
            SigHandler::Handler(count),
            SaFlags::empty(),
            SigSet::empty(),
        );
        // SAFETY: the handler adds to an atomic and does nothing else, which any thread may do
        // wherever it is interrupted.
        unsafe { sigaction(Signal::SIGALRM, &action) }.context("sigaction")?;
        set_interval(every_microseconds)?;
        Ok(Self(()))
    }

    /// How many signals there were.
    pub(super) fn end(self) -> anyhow::Result<u64> {
        set_interval(0)?;
        Ok(HEARD.load(Ordering::Relaxed))
    }
}

extern "C" fn count(_: libc::c_int) {
    HEARD.fetch_add(1, Ordering::Relaxed);
}

fn set_interval(microseconds: u32) -> anyhow::Result<()> {
    let every = libc::timeval {
        tv_sec: 0,
        tv_usec: libc::suseconds_t::from(microseconds),
    };
    let timer = libc::itimerval {
        it_interval: every,
        it_value: every,
    };
    // SAFETY: the kernel reads one itimerval, which this frame owns, and writes nothing.
    let answer =
        unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) };
    if answer != 0 {
        return Err(io::Error::last_os_error()).context("setitimer");
    }
    Ok(())
}
