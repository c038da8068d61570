//! Ctrl-C and SIGTERM: the run ends in order, so that devices and files go away.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;

static IS_ASKED: AtomicBool = AtomicBool::new(false);

/// Somebody wants the run to end.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted; the files and devices of the run have been removed")
    }
}

impl std::error::Error for Interrupted {}

/// From here on a signal sets a mark in place of ending the process.
pub(crate) fn watch() -> anyhow::Result<()> {
    ctrlc::set_handler(|| IS_ASKED.store(true, Ordering::Relaxed))
        .context("cannot catch Ctrl-C, without which devices would be left behind")
}

pub(crate) fn is_asked() -> bool {
    IS_ASKED.load(Ordering::Relaxed)
}

/// The end of the run, if somebody wants it.
pub(crate) fn check() -> Result<(), Interrupted> {
    if is_asked() { Err(Interrupted) } else { Ok(()) }
}
